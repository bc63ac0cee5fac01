import type { ItemInstance, TreeInstance } from "@headless-tree/core";
import { classes, IconButton } from "@repldock/ui";
import { ChevronRight, Ellipsis, Folder, FolderOpen, Link2 } from "lucide-react";
import { Fragment } from "react";
import { FileIcon } from "./file-icon.tsx";
import { NameField } from "./name-field.tsx";
import { showName } from "./paths.ts";
import { type TreeEntry, toPath } from "./tree-data.ts";

/** A new file or folder whose name is being typed. */
export type Creating = { kind: "file" | "directory"; directory: string };

type Props = {
	tree: TreeInstance<TreeEntry>;
	/** Name of the tree for assistive technology. */
	label?: string;
	creating: Creating | null;
	/** Path of the entry whose name is being changed. */
	renaming: string | null;
	onCreate(name: string): Promise<string | null>;
	onRename(path: string, name: string): Promise<string | null>;
	onCancel(): void;
	onMenu(entry: TreeEntry | null, x: number, y: number): void;
};

/** Pixels by which each level is moved in. */
const indentPixels = 14;

export function FileRows(props: Props) {
	const { tree, creating } = props;
	const items = tree.getItems();
	const field = (level: number) => (
		<div className="ide-row" style={{ paddingLeft: 8 + level * indentPixels }}>
			<span className="ide-row-arrow" />
			{creating?.kind === "directory" ? <Folder size={15} aria-hidden /> : <FileIcon name="" />}
			<NameField
				label={creating?.kind === "directory" ? "Name of the new folder" : "Name of the new file"}
				value=""
				onTake={props.onCreate}
				onCancel={props.onCancel}
			/>
		</div>
	);
	return (
		// biome-ignore lint/a11y/noStaticElementInteractions: the role (tree) comes from the tree's properties
		<div
			{...tree.getContainerProps(props.label ?? "Project files")}
			className={classes("ide-tree", tree.getDragTarget()?.item.getId() === "/" ? "ide-tree-target" : undefined)}
			onContextMenu={(event) => {
				event.preventDefault();
				props.onMenu(null, event.clientX, event.clientY);
			}}
		>
			{creating?.directory === "" && field(0)}
			{items.map((item) => (
				<Fragment key={item.getId()}>
					<Row item={item} {...props} />
					{item.getItemData()?.isCut && <CutNote level={item.getItemMeta().level} />}
					{creating && creating.directory !== "" && creating.directory === toPath(item.getId())
						? field(item.getItemMeta().level + 1)
						: null}
				</Fragment>
			))}
		</div>
	);
}

/** Thousands of rows would make the page slow, and nobody would read them. */
function CutNote({ level }: { level: number }) {
	return (
		<div className="ide-row ide-row-note" style={{ paddingLeft: 8 + level * indentPixels }}>
			There is more in this folder than is listed here. A terminal shows all of it.
		</div>
	);
}

function Row({ item, renaming, onRename, onCancel, onMenu }: Props & { item: ItemInstance<TreeEntry> }) {
	const path = toPath(item.getId());
	const entry = item.getItemData() ?? { path, name: "", kind: "other", sizeBytes: 0 };
	const name = showName(item.getItemName());
	const style = { paddingLeft: 8 + item.getItemMeta().level * indentPixels };
	if (renaming === path) {
		return (
			<div className="ide-row" style={style}>
				<span className="ide-row-arrow" />
				<EntryIcon item={item} entry={entry} />
				<NameField label="New name" value={entry.name} onTake={(next) => onRename(path, next)} onCancel={onCancel} />
			</div>
		);
	}
	return (
		// biome-ignore lint/a11y/noStaticElementInteractions: the role (treeitem) comes from the tree's properties
		// biome-ignore lint/a11y/useAriaPropsSupportedByRole: the same
		<div
			{...item.getProps()}
			aria-label={name}
			className={classes("ide-row", item.isDragTarget() ? "ide-row-target" : undefined)}
			style={style}
			title={name}
			data-selected={item.isSelected() || undefined}
			onContextMenu={(event) => {
				event.preventDefault();
				event.stopPropagation();
				item.setFocused();
				onMenu(entry, event.clientX, event.clientY);
			}}
		>
			<span className="ide-row-arrow" data-open={item.isExpanded() || undefined}>
				{item.isFolder() && <ChevronRight size={14} aria-hidden />}
			</span>
			<EntryIcon item={item} entry={entry} />
			<span className="ide-row-name">{name}</span>
			<IconButton
				label={`Actions for ${name}`}
				className="ide-row-menu"
				size="small"
				icon={<Ellipsis aria-hidden />}
				tabIndex={-1}
				onClick={(event) => {
					event.stopPropagation();
					const { left, bottom } = event.currentTarget.getBoundingClientRect();
					onMenu(entry, left, bottom);
				}}
			/>
		</div>
	);
}

function EntryIcon({ item, entry }: { item: ItemInstance<TreeEntry>; entry: TreeEntry }) {
	if (entry.kind === "link") return <Link2 size={15} aria-hidden />;
	if (!item.isFolder()) return <FileIcon name={entry.name} />;
	const Icon = item.isExpanded() ? FolderOpen : Folder;
	return <Icon size={15} className="ide-folder-icon" aria-hidden />;
}
