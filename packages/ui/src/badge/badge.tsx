import type { ReactNode } from "react";

export type Tone = "neutral" | "accent" | "positive" | "warning" | "danger";

export interface BadgeProps {
	tone?: Tone | undefined;
	icon?: ReactNode;
	children: ReactNode;
}

/** A word about the thing beside it. */
export function Badge({ tone = "neutral", icon, children }: BadgeProps) {
	return (
		<span className="rd-badge" data-tone={tone}>
			{icon}
			{children}
		</span>
	);
}
