export interface SpinnerProps {
	/** Pixels. */
	size?: number | undefined;
	/** Said to assistive technology; leave out where text beside it says it. */
	label?: string | undefined;
}

export function Spinner({ size = 18, label }: SpinnerProps) {
	return (
		<svg
			className="rd-spinner"
			width={size}
			height={size}
			viewBox="0 0 24 24"
			fill="none"
			role={label ? "img" : undefined}
			aria-label={label}
			aria-hidden={label ? undefined : true}
		>
			<circle cx="12" cy="12" r="9" stroke="currentColor" strokeOpacity="0.25" strokeWidth="3" />
			<path d="M21 12a9 9 0 0 0-9-9" stroke="currentColor" strokeWidth="3" strokeLinecap="round" />
		</svg>
	);
}
