import type { ReactNode } from "react";
import { classes } from "../classes.ts";

export interface CardProps {
	/** A heading at the top. */
	title?: string | undefined;
	description?: ReactNode;
	/** Stands at the end of the heading's line. */
	action?: ReactNode;
	className?: string | undefined;
	children?: ReactNode;
}

export function Card({ title, description, action, className, children }: CardProps) {
	return (
		<section className={classes("rd-card", className)} aria-label={title}>
			{title && (
				<header className="rd-card-header">
					<div>
						<h2>{title}</h2>
						{description && <p>{description}</p>}
					</div>
					{action}
				</header>
			)}
			{children}
		</section>
	);
}
