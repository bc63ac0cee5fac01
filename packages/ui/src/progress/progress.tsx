export interface ProgressProps {
	label: string;
	/** 0 to 1; leave out when the end is not known. */
	value?: number | undefined;
	hideLabel?: boolean | undefined;
}

export function Progress({ label, value, hideLabel = false }: ProgressProps) {
	return (
		<div className="rd-progress">
			{!hideLabel && (
				<p className="rd-progress-text" aria-hidden="true">
					<span>{label}</span>
					{value !== undefined && <span>{Math.round(value * 100)} %</span>}
				</p>
			)}
			<progress aria-label={label} max={1} {...(value === undefined ? {} : { value })} />
		</div>
	);
}
