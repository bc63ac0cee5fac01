import {
	asyncDataLoaderFeature,
	dragAndDropFeature,
	hotkeysCoreFeature,
	selectionFeature,
	type TreeInstance,
} from "@headless-tree/core";
import { useTree } from "@headless-tree/react";
import type { Version } from "@repldock/protocol";
import { ContextMenu, type MenuEntry, toast } from "@repldock/ui";
import { useState } from "react";
import { problemOf } from "../connection/problem.ts";
import { saveResponse } from "../files/download.ts";
import { FileRows } from "../files/file-rows.tsx";
import { baseName } from "../files/paths.ts";
import { listForTree, rootEntry, rootId, type TreeEntry, toPath } from "../files/tree-data.ts";
import { useStore } from "../use-store.ts";
import { useWorkspace } from "../workspace-context.ts";
import { restoreOrTell } from "./actions.ts";
import type { History } from "./history.ts";

/** All files of a version, hidden ones too. */
export function VersionTree({ version }: { version: Version }) {
	const { history, rights } = useWorkspace();
	const mayEdit = useStore(rights) === "edit";
	const tree = useVersionTree(history, version);
	const [menu, setMenu] = useState<{ entry: TreeEntry; x: number; y: number } | null>(null);

	async function download(path: string): Promise<void> {
		try {
			await saveResponse(await history.client.content(version.id, path), baseName(path));
		} catch (error) {
			toast({ title: "The download failed", detail: problemOf(error).detail, tone: "danger" });
		}
	}
	function entriesFor({ path, kind }: TreeEntry): MenuEntry[] {
		const file: MenuEntry[] =
			kind === "file" ? [{ id: "download", label: "Download", onSelect: () => void download(path) }] : [];
		const restore: MenuEntry[] = mayEdit
			? [
					{
						id: "restore",
						label: kind === "directory" ? "Restore this folder" : "Restore this file",
						onSelect: () => void restoreOrTell(history, version, path),
					},
				]
			: [];
		const copy: MenuEntry = {
			id: "copy",
			label: "Copy path",
			onSelect: () => void navigator.clipboard.writeText(path),
		};
		return [...restore, ...file, copy];
	}
	return (
		<>
			<FileRows
				tree={tree}
				label="Files of the version"
				creating={null}
				renaming={null}
				onCreate={refuseChange}
				onRename={refuseChange}
				onCancel={() => {}}
				onMenu={(entry, x, y) => entry && setMenu({ entry, x, y })}
			/>
			<ContextMenu
				label="File actions"
				entries={menu ? entriesFor(menu.entry) : []}
				at={menu}
				onClose={() => setMenu(null)}
			/>
		</>
	);
}

/** A version does not change; no row of the tree is ever a field. */
async function refuseChange(): Promise<string> {
	return "A version cannot be changed.";
}

function useVersionTree(history: History, version: Version): TreeInstance<TreeEntry> {
	return useTree<TreeEntry>({
		rootItemId: rootId,
		getItemName: (item) => item.getItemData()?.name ?? baseName(toPath(item.getId())),
		isItemFolder: (item) => item.getItemData()?.kind === "directory",
		createLoadingItemData: () => ({ path: "", name: "", kind: "other", sizeBytes: 0 }),
		dataLoader: {
			getItem: (id) => (id === rootId ? rootEntry : { ...rootEntry, path: toPath(id), name: baseName(id) }),
			getChildrenWithData: async (id) => {
				try {
					const list = (path: string) => history.client.files(version.id, path);
					return await listForTree({ list }, toPath(id), () => false);
				} catch (error) {
					toast({ title: "A folder could not be read", detail: problemOf(error).detail, tone: "danger" });
					return [];
				}
			},
		},
		indent: 12,
		canReorder: false,
		canDrag: () => false,
		onPrimaryAction: (item) => {
			const { path, kind } = item.getItemData();
			if (!item.isFolder()) history.chooseFile({ path, kind });
		},
		features: [asyncDataLoaderFeature, selectionFeature, hotkeysCoreFeature, dragAndDropFeature],
	});
}
