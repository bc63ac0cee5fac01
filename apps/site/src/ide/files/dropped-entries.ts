/** A file from the person's computer and where in the dropped folder it was. */
export type DroppedFile = { path: string; file: File };

/**
 * Files and folders of a drop. Must be called during the drop event: the browser empties the list right after it.
 */
export function readDrop(transfer: DataTransfer): Promise<DroppedFile[]> {
	const dropped = [...transfer.items].map((item) => {
		const entry = item.kind === "file" ? item.webkitGetAsEntry() : null;
		if (entry) return readEntry(entry, "");
		// Pictures dragged out of other pages are files without an entry.
		const file = item.kind === "file" ? item.getAsFile() : null;
		return file ? [{ path: file.name, file }] : [];
	});
	return Promise.all(dropped).then((lists) => lists.flat());
}

async function readEntry(entry: FileSystemEntry, directory: string): Promise<DroppedFile[]> {
	const path = directory + entry.name;
	if (entry.isFile) {
		const file = await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject));
		return [{ path, file }];
	}
	const reader = (entry as FileSystemDirectoryEntry).createReader();
	const files: DroppedFile[] = [];
	for (;;) {
		// A reader gives its entries in portions; an empty one is the end.
		const portion = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
		if (portion.length === 0) return files;
		for (const child of portion) files.push(...(await readEntry(child, `${path}/`)));
	}
}
