import type { ReactNode } from "react";

export interface TableProps {
	label: string;
	/** Headings of the columns. */
	columns: readonly string[];
	/** `<tr>` elements. */
	children: ReactNode;
}

/** A table that scrolls sideways where it is wider than its place. */
export function Table({ label, columns, children }: TableProps) {
	return (
		// biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable with the keyboard
		// biome-ignore lint/a11y/useSemanticElements: a named group, not a field set
		<div className="rd-table" role="group" aria-label={label} tabIndex={0}>
			<table>
				<caption className="rd-visually-hidden">{label}</caption>
				<thead>
					<tr>
						{columns.map((column) => (
							<th key={column} scope="col">
								{column}
							</th>
						))}
					</tr>
				</thead>
				<tbody>{children}</tbody>
			</table>
		</div>
	);
}
