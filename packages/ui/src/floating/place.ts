/** Pixels kept between a floating part and the edge of the window, and between it and its anchor. */
const windowMargin = 8;
const anchorGap = 6;

export type Side = "bottom" | "top" | "right";
export type Align = "start" | "center" | "end";

/**
 * Moves `floating` (fixed, in the top layer) beside `anchor`, on the other side when there is no room on the wanted
 * one, and never outside the window.
 */
export function placeBeside(anchor: DOMRect, floating: HTMLElement, side: Side, align: Align): void {
	const { offsetWidth: width, offsetHeight: height } = floating;
	const { innerWidth, innerHeight } = window;
	let left: number;
	let top: number;
	if (side === "right") {
		const fits = anchor.right + anchorGap + width <= innerWidth - windowMargin;
		left = fits ? anchor.right + anchorGap : anchor.left - anchorGap - width;
		top = anchor.top + (anchor.height - height) / 2;
	} else {
		const below = anchor.bottom + anchorGap;
		const above = anchor.top - anchorGap - height;
		const fitsBelow = below + height <= innerHeight - windowMargin;
		const wantsBelow = side === "bottom" ? fitsBelow || above < windowMargin : above < windowMargin;
		top = wantsBelow ? below : above;
		if (align === "start") left = anchor.left;
		else if (align === "end") left = anchor.right - width;
		else left = anchor.left + (anchor.width - width) / 2;
	}
	floating.style.left = `${clamp(left, windowMargin, innerWidth - width - windowMargin)}px`;
	floating.style.top = `${clamp(top, windowMargin, innerHeight - height - windowMargin)}px`;
}

function clamp(value: number, least: number, most: number): number {
	return Math.max(least, Math.min(value, most));
}
