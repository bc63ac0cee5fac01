import {
	asyncDataLoaderFeature,
	dragAndDropFeature,
	hotkeysCoreFeature,
	selectionFeature,
	type TreeInstance,
} from "@headless-tree/core";
import { useTree } from "@headless-tree/react";
import { toast } from "@repldock/ui";
import { useEffect, useMemo, useRef } from "react";
import { problemOf } from "../connection/problem.ts";
import type { Store } from "../store.ts";
import { useStore } from "../use-store.ts";
import { useWorkspace } from "../workspace-context.ts";
import { type DroppedFile, readDrop } from "./dropped-entries.ts";
import { createHiddenFilter } from "./globs.ts";
import { ancestorsOf, baseName, isWithin, joinPath, parentOf } from "./paths.ts";
import { listForTree, rootEntry, rootId, type TreeEntry, toId, toPath } from "./tree-data.ts";

type Options = {
	showHidden: boolean;
	readOnly: boolean;
	onUpload(directory: string, files: Promise<DroppedFile[]>): void;
	onRemove(paths: readonly string[]): void;
	onRename(path: string): void;
};

/** The tree of the project's files: listed lazily, kept fresh by the node's messages, following the editor. */
export function useFileTree(options: Options): TreeInstance<TreeEntry> {
	const { node, state, tabs, memory, connection, watch, onFilesChanged } = useWorkspace();
	const patterns = useStore(state)?.hidden;
	const patternKey = JSON.stringify(patterns ?? []);
	const isHidden = useMemo(() => {
		if (options.showHidden) return () => false;
		return createHiddenFilter(JSON.parse(patternKey) as string[]);
	}, [options.showHidden, patternKey]);
	const latest = useRef({ options, isHidden });
	latest.current = { options, isHidden };

	const tree = useTree<TreeEntry>({
		rootItemId: rootId,
		initialState: { expandedItems: memory.get().expanded.map(toId) },
		getItemName: (item) => item.getItemData()?.name ?? baseName(toPath(item.getId())),
		isItemFolder: (item) => item.getItemData()?.kind === "directory",
		createLoadingItemData: () => ({ path: "", name: "", kind: "other", sizeBytes: 0 }),
		dataLoader: {
			getItem: (id) => (id === rootId ? rootEntry : { ...rootEntry, path: toPath(id), name: baseName(id) }),
			getChildrenWithData: async (id) => {
				try {
					// The state says what is hidden; a list before it would flash what is not meant to be seen.
					await firstValue(state);
					return await listForTree(node, toPath(id), latest.current.isHidden);
				} catch (error) {
					const problem = problemOf(error);
					// Lost connections are told once for the whole page, and the tree is read again after them.
					if (connection.state.get().kind === "connected" && problem.code !== "file_not_found") {
						toast({ title: "A folder could not be read", detail: problem.detail, tone: "danger" });
					}
					return [];
				}
			},
		},
		indent: 12,
		canReorder: false,
		canDrag: () => !latest.current.options.readOnly,
		canDrop: (items, target) => {
			const directory = target.item.getId() === rootId ? "" : toPath(target.item.getId());
			return items.every((item) => {
				const path = toPath(item.getId());
				return parentOf(path) !== directory && !isWithin(directory, path);
			});
		},
		onDrop: async (items, target) => {
			const directory = toPath(target.item.getId());
			for (const item of items) {
				const path = toPath(item.getId());
				const to = joinPath(directory, baseName(path));
				try {
					await node.move(path, to);
					tabs.fileMoved(path, to);
				} catch (error) {
					toast({ title: "The file could not be moved", detail: problemOf(error).detail, tone: "danger" });
				}
			}
		},
		canDragForeignDragObjectOver: (transfer) => !latest.current.options.readOnly && transfer.types.includes("Files"),
		canDropForeignDragObject: (transfer) => !latest.current.options.readOnly && transfer.types.includes("Files"),
		onDropForeignDragObject: (transfer, target) => {
			latest.current.options.onUpload(toPath(target.item.getId()), readDrop(transfer));
		},
		onPrimaryAction: (item) => {
			if (!item.isFolder()) tabs.open(item.getItemData().path);
		},
		hotkeys: {
			customDelete: {
				hotkey: "Delete",
				handler: (_event, { getFocusedItem, getSelectedItems }) => {
					const selected = getSelectedItems().map((item) => toPath(item.getId()));
					const paths = selected.length > 0 ? selected : [toPath(getFocusedItem().getId())];
					if (!latest.current.options.readOnly) latest.current.options.onRemove(paths);
				},
			},
			customRename: {
				hotkey: "F2",
				handler: (_event, { getFocusedItem }) => {
					if (!latest.current.options.readOnly) latest.current.options.onRename(toPath(getFocusedItem().getId()));
				},
			},
		},
		features: [asyncDataLoaderFeature, selectionFeature, hotkeysCoreFeature, dragAndDropFeature],
	});

	const expandedKey = tree.getState().expandedItems.join("\0");
	useEffect(() => {
		const expanded = expandedKey === "" ? [] : expandedKey.split("\0").map(toPath);
		memory.change({ expanded });
		watch(["", ...expanded.filter((path) => path !== "")]);
	}, [expandedKey, memory, watch]);

	useEffect(() => {
		const refresh = (path: string) => void tree.getItemInstance(toId(path)).invalidateChildrenIds(true);
		return onFilesChanged((directories) => {
			const shown = ["", ...tree.getState().expandedItems.map(toPath)];
			for (const path of new Set(shown)) if (directories === null || directories.includes(path)) refresh(path);
		});
	}, [tree, onFilesChanged]);

	// biome-ignore lint/correctness/useExhaustiveDependencies: another filter means that all is listed anew
	useEffect(() => {
		for (const id of new Set([rootId, ...tree.getState().expandedItems])) {
			void tree.getItemInstance(id).invalidateChildrenIds(true);
		}
	}, [isHidden, tree]);

	const { active } = useStore(tabs.state);
	useEffect(() => {
		if (active !== null) void reveal(tree, active);
	}, [active, tree]);
	return tree;
}

/** Resolves once a store holds a value. */
function firstValue<T>(store: Pick<Store<T | null>, "get" | "subscribe">): Promise<void> {
	return new Promise((resolve) => {
		if (store.get() !== null) return resolve();
		const stop = store.subscribe(() => {
			if (store.get() === null) return;
			stop();
			resolve();
		});
	});
}

/** Opens the folders above a file and selects it. A file that is hidden or gone is left. */
async function reveal(tree: TreeInstance<TreeEntry>, path: string): Promise<void> {
	for (const directory of ["", ...ancestorsOf(path)]) {
		const children = await tree.loadChildrenIds(toId(directory));
		const next = [...ancestorsOf(path), path].find((each) => parentOf(each) === directory);
		if (next === undefined || !children.includes(toId(next))) return;
		if (next !== path) tree.getItemInstance(toId(next)).expand();
	}
	tree.setSelectedItems([toId(path)]);
}
