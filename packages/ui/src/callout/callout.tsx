import { CircleAlert, CircleCheck, Info, TriangleAlert } from "lucide-react";
import type { ReactNode } from "react";

export type CalloutTone = "info" | "positive" | "warning" | "danger";

export interface CalloutProps {
	tone?: CalloutTone | undefined;
	title?: string | undefined;
	action?: ReactNode;
	children?: ReactNode;
}

const icons = { info: Info, positive: CircleCheck, warning: TriangleAlert, danger: CircleAlert };

/** A message in the flow of the page. One of tone `danger` is announced when it appears. */
export function Callout({ tone = "info", title, action, children }: CalloutProps) {
	const Icon = icons[tone];
	return (
		<div className="rd-callout" data-tone={tone} role={tone === "danger" ? "alert" : undefined}>
			<Icon size={18} aria-hidden />
			<div className="rd-callout-text">
				{title && <p className="rd-callout-title">{title}</p>}
				{children}
			</div>
			{action}
		</div>
	);
}
