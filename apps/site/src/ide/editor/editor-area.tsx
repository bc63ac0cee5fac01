import { EmptyState, Kbd, Spinner, TabPanel, Tabs } from "@repldock/ui";
import { Code } from "lucide-react";
import { useRef } from "react";
import { FileIcon } from "../files/file-icon.tsx";
import { tabNames } from "../files/paths.ts";
import { useStore } from "../use-store.ts";
import { useWorkspace } from "../workspace-context.ts";
import { OpenFile } from "./file-editor.tsx";

/** The open files' tabs and the one that is shown. */
export function EditorArea() {
	const { tabs, rights, state } = useWorkspace();
	const known = useStore(state) !== null;
	const { paths, active } = useStore(tabs.state);
	const readOnly = useStore(rights) === "view";
	const names = tabNames(paths);
	const position = useRef<HTMLSpanElement>(null);
	return (
		<section className="ide-editors" aria-label="Editor">
			{paths.length > 0 && (
				<div className="ide-bar">
					<Tabs
						id="editor"
						label="Open files"
						tabs={paths.map((path, index) => ({
							id: path,
							label: names[index] ?? path,
							title: path,
							icon: <FileIcon name={path} />,
							closable: true,
						}))}
						selected={active}
						onSelect={(path) => tabs.open(path)}
						onClose={(path) => tabs.closeTab(path)}
					/>
				</div>
			)}
			<div className="ide-editor-panels">
				{paths.map((path) => (
					<TabPanel key={path} tabs="editor" id={path} hidden={path !== active} className="ide-editor-panel">
						<OpenFile
							path={path}
							visible={path === active}
							onCursor={(cursor) => {
								// Written past React: it changes with each key.
								if (position.current) position.current.textContent = `Ln ${cursor.line}, Col ${cursor.column}`;
							}}
						/>
					</TabPanel>
				))}
				{paths.length === 0 && !known && (
					<div className="ide-centered">
						<Spinner label="Opening the project" />
					</div>
				)}
				{paths.length === 0 && known && (
					<EmptyState icon={<Code size={28} aria-hidden />} title="No file is open">
						<p>Choose a file on the left.</p>
						<p>
							<Kbd keys="Ctrl+Enter" /> runs the project from anywhere.
						</p>
					</EmptyState>
				)}
			</div>
			{active !== null && (
				<footer className="ide-editor-foot">
					{readOnly && <span>Read only</span>}
					<span ref={position} />
				</footer>
			)}
		</section>
	);
}
