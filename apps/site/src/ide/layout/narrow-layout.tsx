import { CodeXml, FolderTree, Globe, History, SquareTerminal } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import { EditorArea } from "../editor/editor-area.tsx";
import { FilesPanel } from "../files/files-panel.tsx";
import { OutputArea } from "../terminal/output-area.tsx";
import { useStore } from "../use-store.ts";
import { WebView } from "../webview/web-view.tsx";
import { useWorkspace } from "../workspace-context.ts";

const views = [
	{ id: "files", label: "Files", Icon: FolderTree },
	{ id: "code", label: "Code", Icon: CodeXml },
	{ id: "console", label: "Console", Icon: SquareTerminal },
	{ id: "web", label: "Web", Icon: Globe },
	{ id: "history", label: "History", Icon: History },
] as const;
type ViewId = (typeof views)[number]["id"];
/** What is remembered; the history is never what a page opens with. */
type StayingViewId = Exclude<ViewId, "history">;

/** One panel at a time with a bar to switch, for phones; the history is laid over them. `webOpen` turns to the web view when it becomes true. */
export function NarrowLayout({ isPrivate, webOpen }: { isPrivate: boolean | null; webOpen: boolean }) {
	const { memory, tabs, runner, history } = useWorkspace();
	const { open: historyOpen } = useStore(history.state);
	const [left, setLeft] = useState<StayingViewId>(() => rememberedView(memory.get().narrowTab));
	const view: ViewId = historyOpen ? "history" : left;
	const show = (next: ViewId) => {
		history.show(next === "history");
		if (next === "history") return;
		setLeft(next);
		memory.change({ narrowTab: next });
	};
	const { active } = useStore(tabs.state);
	const { runs } = useStore(runner.state);
	useFollow(active, () => show("code"));
	useFollow(runs, () => show("console"));
	// Only what was started here is turned to; somebody who comes to a running app finds the page as it was left.
	useFollow(webOpen, () => webOpen && runs > 0 && show("web"));

	return (
		<div className="ide-narrow">
			<div className="ide-narrow-views">
				<div className="ide-narrow-view" hidden={view !== "files"}>
					<FilesPanel />
				</div>
				<div className="ide-narrow-view" hidden={view !== "code"}>
					<EditorArea />
				</div>
				<div className="ide-narrow-view" hidden={view !== "console"}>
					<OutputArea visible={view === "console"} />
				</div>
				<div className="ide-narrow-view" hidden={view !== "web"}>
					<WebView isPrivate={isPrivate} />
				</div>
			</div>
			<nav className="ide-narrow-bar" aria-label="Views">
				{views.map(({ id, label, Icon }) => (
					<button
						key={id}
						type="button"
						className="ide-narrow-button"
						aria-pressed={view === id}
						onClick={() => show(id)}
					>
						<Icon size={19} aria-hidden />
						{label}
					</button>
				))}
			</nav>
		</div>
	);
}

function rememberedView(id: string): StayingViewId {
	const found = views.find((view) => view.id === id)?.id;
	return found === undefined || found === "history" ? "code" : found;
}

/** Acts when a value becomes another one, not when the component appears. */
function useFollow(value: unknown, act: () => void): void {
	const before = useRef(value);
	useEffect(() => {
		if (Object.is(before.current, value)) return;
		before.current = value;
		act();
	});
}
