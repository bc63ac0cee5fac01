import type { ReactNode } from "react";

export interface TableRow<Column extends string> {
	key: string;
	/** By column. The first one says what the row is about. */
	cells: Readonly<Record<Column, ReactNode>>;
}

export interface TableProps<Column extends string> {
	label: string;
	/** Their headings. */
	columns: readonly Column[];
	rows: readonly TableRow<Column>[];
}

/** A table. In a narrow place its rows become entries, in which each cell has its heading above it. */
export function Table<const Column extends string>({ label, columns, rows }: TableProps<Column>) {
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
				<tbody>
					{rows.map(({ key, cells }) => (
						<tr key={key}>
							{columns.map((column) => (
								<td key={column} data-column={column}>
									{cells[column]}
								</td>
							))}
						</tr>
					))}
				</tbody>
			</table>
		</div>
	);
}
