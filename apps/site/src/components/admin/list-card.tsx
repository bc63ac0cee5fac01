import { Button, Callout, Card, Skeleton, Table, type TableRow } from "@repldock/ui";
import type { List } from "./use-list.ts";

export interface ListCardProps<Item, Column extends string> {
	title: string;
	description: string;
	/** Said when there is nothing to list. */
	empty: string;
	columns: readonly Column[];
	list: List<Item>;
	row: (item: Item) => TableRow<Column>;
}

/** A list of the API as a table, with what it shows while it loads, when it fails and when it is empty. */
export function ListCard<Item, const Column extends string>({
	title,
	description,
	empty,
	columns,
	list,
	row,
}: ListCardProps<Item, Column>) {
	return (
		<Card title={title} description={description}>
			{list.problem && (
				<Callout tone="danger" action={<Button onClick={list.reload}>Try again</Button>}>
					{list.problem}
				</Callout>
			)}
			{!list.items && !list.problem && <Skeleton height="5rem" />}
			{list.items?.length === 0 && <p className="quiet">{empty}</p>}
			{list.items && list.items.length > 0 && <Table label={title} columns={columns} rows={list.items.map(row)} />}
			{list.loadMore && (
				<p className="more">
					<Button onClick={list.loadMore}>Show more</Button>
				</p>
			)}
		</Card>
	);
}
