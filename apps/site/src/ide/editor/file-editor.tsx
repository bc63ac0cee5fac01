import { EmptyState, Spinner } from "@repldock/ui";
import { useEffect, useRef, useState } from "react";
import type { OpenDocument } from "../documents/document.ts";
import { useStore } from "../use-store.ts";
import { useWorkspace } from "../workspace-context.ts";
import type { FileEditor } from "./create-editor.ts";
import { FilePreview } from "./file-preview.tsx";

type Cursor = { line: number; column: number };

/** One open file. It stays mounted while its tab is open, so that scroll and selection stay as they were. */
export function OpenFile(props: { path: string; visible: boolean; onCursor(cursor: Cursor): void }) {
	const { documents } = useWorkspace();
	const [document, setDocument] = useState<OpenDocument | null>(null);
	useEffect(() => {
		let current = true;
		documents.open(props.path).then((opened) => current && setDocument(opened));
		return () => {
			current = false;
		};
	}, [documents, props.path]);
	if (!document) return props.visible ? <Opening /> : null;
	return <DocumentEditor document={document} visible={props.visible} onCursor={props.onCursor} />;
}

type DocumentProps = { document: OpenDocument; visible: boolean; onCursor(cursor: Cursor): void };

function DocumentEditor({ document, visible, onCursor }: DocumentProps) {
	const { rights, tabs } = useWorkspace();
	const view = useStore(document.view);
	const path = useStore(document.path);
	const readOnly = useStore(rights) === "view";
	const host = useRef<HTMLDivElement>(null);
	const editor = useRef<FileEditor | null>(null);
	const latest = useRef({ path, readOnly, onCursor, visible });
	latest.current = { path, readOnly, onCursor, visible };
	const history = view.kind === "ready" ? view.history : null;

	useEffect(() => {
		if (!history) return;
		let made: FileEditor | null = null;
		let current = true;
		void import("./create-editor.ts").then(({ createEditor }) => {
			if (!current || !host.current) return;
			made = createEditor({
				history,
				path: latest.current.path,
				readOnly: latest.current.readOnly,
				cursorMoved: (cursor) => latest.current.visible && latest.current.onCursor(cursor),
			});
			editor.current = made;
			host.current.append(made.view.dom);
			if (latest.current.visible && mayTakeFocus()) made.view.focus();
		});
		return () => {
			current = false;
			editor.current = null;
			made?.destroy();
		};
	}, [history]);
	useEffect(() => editor.current?.setReadOnly(readOnly), [readOnly]);
	useEffect(() => editor.current?.setPath(path), [path]);
	useEffect(() => {
		if (!visible || !editor.current) return;
		editor.current.view.requestMeasure();
		if (mayTakeFocus()) editor.current.view.focus();
	}, [visible]);

	if (view.kind === "refused") {
		if (!visible) return null;
		const binary = view.problem.code === "not_text" || view.problem.code === "file_too_large";
		if (binary) return <FilePreview path={path} reason={view.problem.detail} />;
		return (
			<EmptyState
				title={view.problem.code === "file_not_found" ? "This file is gone" : "This file cannot be opened"}
				action={
					<button type="button" className="ide-link" onClick={() => tabs.closeTab(path)}>
						Close the tab
					</button>
				}
			>
				<p>{view.problem.detail}</p>
			</EmptyState>
		);
	}
	return (
		<>
			{view.kind === "opening" && visible && <Opening />}
			<div className="ide-editor-host" ref={host} hidden={!visible || view.kind !== "ready"} />
		</>
	);
}

function Opening() {
	return (
		<div className="ide-centered">
			<Spinner label="Opening the file" />
		</div>
	);
}

/** A file that opens by itself must not take the focus from a field or terminal in which somebody types. */
function mayTakeFocus(): boolean {
	const { activeElement } = document;
	return !(activeElement instanceof HTMLInputElement || activeElement instanceof HTMLTextAreaElement);
}
