import { Button, ContextMenu, Dialog, IconButton, Menu, type MenuEntry, toast } from "@repldock/ui";
import { Ellipsis, FilePlus, FolderPlus } from "lucide-react";
import { useRef, useState } from "react";
import { problemOf } from "../connection/problem.ts";
import { archiveTypes, isArchive } from "../transfer/transfers.ts";
import { createUnpacking } from "../transfer/unpacking.ts";
import { UnpackingPanel } from "../transfer/unpacking-panel.tsx";
import { useStore } from "../use-store.ts";
import { useWorkspace } from "../workspace-context.ts";
import { DiskUse } from "./disk-use.tsx";
import { downloadFile } from "./download.ts";
import { type Creating, FileRows } from "./file-rows.tsx";
import { baseName, isWithin, joinPath, parentOf, showName } from "./paths.ts";
import { type TreeEntry, toId, toPath } from "./tree-data.ts";
import { UploadPanel } from "./upload-panel.tsx";
import { createUploads } from "./uploads.ts";
import { useFileTree } from "./use-file-tree.ts";

/** The project's files: the tree, its tools and what they ask. */
export function FilesPanel() {
	const { node, tabs, rights, memory, runner, transfers } = useWorkspace();
	const readOnly = useStore(rights) !== "edit";
	const [showHidden, setShowHidden] = useState(memory.get().showHidden);
	const [creating, setCreating] = useState<Creating | null>(null);
	const [renaming, setRenaming] = useState<string | null>(null);
	const [removing, setRemoving] = useState<readonly string[] | null>(null);
	const [menu, setMenu] = useState<{ entry: TreeEntry | null; x: number; y: number } | null>(null);
	const [uploads] = useState(() => createUploads(node));
	const [unpacking] = useState(() => createUnpacking(transfers));
	const picker = useRef<HTMLInputElement>(null);
	const archivePicker = useRef<HTMLInputElement>(null);
	const pickInto = useRef("");

	const tree = useFileTree({
		showHidden,
		readOnly,
		onUpload: (directory, files) => void files.then((list) => uploads.start(directory, list)),
		onRemove: setRemoving,
		onRename: setRenaming,
	});

	/** Where new files go: the selected folder, or the folder of the selected file. */
	function currentDirectory(): string {
		const [selected] = tree.getSelectedItems();
		if (!selected) return "";
		return selected.isFolder() ? toPath(selected.getId()) : parentOf(toPath(selected.getId()));
	}
	function startCreating(kind: Creating["kind"], directory: string): void {
		if (directory !== "") tree.getItemInstance(toId(directory)).expand();
		setCreating({ kind, directory });
	}
	async function create(name: string): Promise<string | null> {
		if (!creating) return null;
		const path = joinPath(creating.directory, name);
		try {
			if (creating.kind === "file") await node.createFile(path);
			else await node.createDirectory(path);
			setCreating(null);
			// Listed first, so that the tree can follow the editor to it.
			await tree.getItemInstance(toId(creating.directory)).invalidateChildrenIds(true);
			if (creating.kind === "file") tabs.open(path);
			return null;
		} catch (error) {
			return problemOf(error).detail;
		}
	}
	async function rename(path: string, name: string): Promise<string | null> {
		const to = joinPath(parentOf(path), name);
		try {
			await node.move(path, to);
			setRenaming(null);
			tabs.fileMoved(path, to);
			void tree.getItemInstance(toId(parentOf(path))).invalidateChildrenIds(true);
			return null;
		} catch (error) {
			return problemOf(error).detail;
		}
	}
	async function remove(paths: readonly string[]): Promise<void> {
		setRemoving(null);
		// What lies inside of another one goes with it.
		const outermost = paths.filter((path) => !paths.some((other) => other !== path && isWithin(path, other)));
		for (const path of outermost) {
			try {
				await node.remove(path);
				tabs.fileMoved(path, null);
			} catch (error) {
				toast({ title: `“${showName(path)}” was not deleted`, detail: problemOf(error).detail, tone: "danger" });
			}
			void tree.getItemInstance(toId(parentOf(path))).invalidateChildrenIds(true);
		}
	}
	function pickFiles(directory: string, from = picker): void {
		pickInto.current = directory;
		from.current?.click();
	}
	async function unpack(path: string): Promise<void> {
		if (!(await unpacking.unpack(path, baseName(path)))) return;
		void tree.getItemInstance(toId(parentOf(path))).invalidateChildrenIds(true);
	}
	async function unpackUpload(file: File): Promise<void> {
		const folder = pickInto.current;
		if (!(await unpacking.upload(folder, file))) return;
		void tree.getItemInstance(toId(folder)).invalidateChildrenIds(true);
	}

	const toggleHidden: MenuEntry = {
		id: "hidden",
		label: "Show hidden files",
		checked: showHidden,
		onSelect: () => {
			memory.change({ showHidden: !showHidden });
			setShowHidden(!showHidden);
		},
	};
	const entriesFor = (entry: TreeEntry | null): MenuEntry[] => {
		const directory = entry === null ? "" : entry.kind === "directory" ? entry.path : parentOf(entry.path);
		const change: MenuEntry[] = readOnly
			? []
			: [
					{ id: "file", label: "New file", onSelect: () => startCreating("file", directory) },
					{ id: "folder", label: "New folder", onSelect: () => startCreating("directory", directory) },
					{ id: "upload", label: "Upload files…", onSelect: () => pickFiles(directory) },
					{ id: "import", label: "Upload and unpack…", onSelect: () => pickFiles(directory, archivePicker) },
					"separator",
				];
		if (entry === null) return [...change, toggleHidden];
		const file: MenuEntry[] = [];
		if (entry.kind === "file") {
			if (!readOnly) file.push({ id: "run", label: "Run this file", onSelect: () => void runner.run(entry.path) });
			file.push({
				id: "download",
				label: "Download",
				onSelect: () =>
					void downloadFile(node, entry.path).catch((error: unknown) =>
						toast({ title: "The download failed", detail: problemOf(error).detail, tone: "danger" }),
					),
			});
		}
		if (!readOnly && entry.kind === "file" && isArchive(entry.path)) {
			file.push({ id: "unpack", label: "Unpack here", onSelect: () => void unpack(entry.path) });
		}
		file.push({ id: "copy", label: "Copy path", onSelect: () => void navigator.clipboard.writeText(entry.path) });
		if (readOnly) return file;
		return [
			...change,
			...file,
			"separator",
			{ id: "rename", label: "Rename", shortcut: "F2", onSelect: () => setRenaming(entry.path) },
			{ id: "delete", label: "Delete", shortcut: "Del", danger: true, onSelect: () => setRemoving([entry.path]) },
		];
	};

	return (
		<section className="ide-files" aria-label="Files">
			<header className="ide-bar ide-bar-titled">
				<h2>Files</h2>
				{!readOnly && (
					<>
						<IconButton
							label="New file"
							size="small"
							icon={<FilePlus aria-hidden />}
							onClick={() => startCreating("file", currentDirectory())}
						/>
						<IconButton
							label="New folder"
							size="small"
							icon={<FolderPlus aria-hidden />}
							onClick={() => startCreating("directory", currentDirectory())}
						/>
					</>
				)}
				<Menu
					label="More file actions"
					align="end"
					entries={entriesFor(null)}
					trigger={(props) => (
						<IconButton label="More file actions" size="small" icon={<Ellipsis aria-hidden />} {...props} />
					)}
				/>
			</header>
			<FileRows
				tree={tree}
				creating={creating}
				renaming={renaming}
				onCreate={create}
				onRename={rename}
				onCancel={() => {
					setCreating(null);
					setRenaming(null);
				}}
				onMenu={(entry, x, y) => setMenu({ entry, x, y })}
			/>
			<UploadPanel uploads={uploads} />
			<UnpackingPanel unpacking={unpacking} />
			<DiskUse />
			<input
				ref={picker}
				type="file"
				multiple
				hidden
				aria-label="Files to upload"
				onChange={(event) => {
					const files = [...(event.target.files ?? [])].map((file) => ({ path: file.name, file }));
					event.target.value = "";
					void uploads.start(pickInto.current, files);
				}}
			/>
			<input
				ref={archivePicker}
				type="file"
				hidden
				accept={archiveTypes}
				aria-label="Archive to unpack"
				onChange={(event) => {
					const [archive] = event.target.files ?? [];
					event.target.value = "";
					if (archive) void unpackUpload(archive);
				}}
			/>
			<ContextMenu
				label="File actions"
				entries={menu ? entriesFor(menu.entry) : []}
				at={menu}
				onClose={() => setMenu(null)}
			/>
			<Dialog
				open={removing !== null}
				onClose={() => setRemoving(null)}
				size="small"
				title={
					removing?.length === 1
						? `Delete “${showName(baseName(removing[0] ?? ""))}”?`
						: `Delete ${removing?.length} files?`
				}
				description="Folders are deleted with all that is in them. This cannot be undone."
				footer={
					<>
						<Button onClick={() => setRemoving(null)}>Cancel</Button>
						<Button variant="danger" data-autofocus onClick={() => removing && void remove(removing)}>
							Delete
						</Button>
					</>
				}
			/>
		</section>
	);
}
