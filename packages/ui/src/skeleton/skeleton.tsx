export interface SkeletonProps {
	/** CSS lengths. */
	width?: string | undefined;
	height?: string | undefined;
}

/** Holds the place of what is on its way. */
export function Skeleton({ width = "100%", height = "1em" }: SkeletonProps) {
	return <span className="rd-skeleton" aria-hidden="true" style={{ width, height }} />;
}
