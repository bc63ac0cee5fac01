import { ChevronRight } from "lucide-react";
import { Fragment } from "react";

export interface BreadcrumbProps {
	/** Tells several on one page apart. */
	label?: string | undefined;
	/** From the outermost in; the last one is where one is. */
	items: readonly { label: string; href?: string }[];
}

export function Breadcrumb({ label = "Breadcrumb", items }: BreadcrumbProps) {
	return (
		<nav className="rd-breadcrumb" aria-label={label}>
			<ol>
				{items.map((item, index) => (
					<Fragment key={item.label}>
						{index > 0 && (
							<li aria-hidden="true">
								<ChevronRight size={14} />
							</li>
						)}
						<li>
							{item.href ? (
								<a href={item.href}>{item.label}</a>
							) : (
								<span aria-current={index === items.length - 1 ? "page" : undefined}>{item.label}</span>
							)}
						</li>
					</Fragment>
				))}
			</ol>
		</nav>
	);
}
