/** Slope of the line through these points with the least sum of squares. */
export function slope(points: readonly (readonly [x: number, y: number])[]): number {
	const meanX = points.reduce((sum, [x]) => sum + x, 0) / points.length;
	const meanY = points.reduce((sum, [, y]) => sum + y, 0) / points.length;
	const covariance = points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0);
	return covariance / points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
}
