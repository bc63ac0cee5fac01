import type { Tone } from "../badge/badge.tsx";

export interface StatusDotProps {
	tone: Tone;
	/** What the colour means; shown beside the dot unless `hideLabel`. */
	label: string;
	hideLabel?: boolean | undefined;
	/** Something is going on that will end by itself. */
	pulsing?: boolean | undefined;
}

export function StatusDot({ tone, label, hideLabel = false, pulsing = false }: StatusDotProps) {
	return (
		<span className="rd-status" data-tone={tone} data-pulsing={pulsing || undefined}>
			<span className="rd-status-dot" aria-hidden="true" />
			<span className={hideLabel ? "rd-visually-hidden" : undefined}>{label}</span>
		</span>
	);
}
