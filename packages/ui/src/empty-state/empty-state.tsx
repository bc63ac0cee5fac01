import type { ReactNode } from "react";

export interface EmptyStateProps {
	icon?: ReactNode;
	title: string;
	children?: ReactNode;
	/** The way out. */
	action?: ReactNode;
}

/** Says why there is nothing here, and what to do about it. */
export function EmptyState({ icon, title, children, action }: EmptyStateProps) {
	return (
		<div className="rd-empty">
			{icon && <div className="rd-empty-icon">{icon}</div>}
			<h2>{title}</h2>
			{children && <div className="rd-empty-text">{children}</div>}
			{action}
		</div>
	);
}
