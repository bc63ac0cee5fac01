export interface LogoProps {
	/** Height of the mark in pixels. */
	size?: number | undefined;
	/** The mark alone, without the name. */
	markOnly?: boolean | undefined;
}

/** A prompt moored over water: the cursor is a wave, the light of the harbour above it. */
export function Logo({ size = 26, markOnly = false }: LogoProps) {
	return (
		<span className="rd-logo">
			<svg width={size} height={size} viewBox="0 0 32 32" fill="none" aria-hidden="true">
				<rect width="32" height="32" rx="9" className="rd-logo-water" />
				<path d="m8.5 8.5 6 5-6 5" className="rd-logo-line" />
				<path d="M6.5 24c2.4 0 2.4-2 4.75-2s2.37 2 4.75 2 2.37-2 4.75-2 2.35 2 4.75 2" className="rd-logo-line" />
				<circle cx="22" cy="13.5" r="2.6" className="rd-logo-light" />
			</svg>
			<span className={markOnly ? "rd-visually-hidden" : "rd-logo-name"} style={{ fontSize: size * 0.66 }}>
				Repldock
			</span>
		</span>
	);
}
