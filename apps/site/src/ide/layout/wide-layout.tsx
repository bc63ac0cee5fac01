import { EditorArea } from "../editor/editor-area.tsx";
import { FilesPanel } from "../files/files-panel.tsx";
import { OutputArea } from "../terminal/output-area.tsx";
import { WebView } from "../webview/web-view.tsx";
import { type PanelSpec, Panels } from "./panels.tsx";

type Props = { isPrivate: boolean | null; webOpen: boolean; setWebOpen(open: boolean): void };

/** Files, editor, and on the right the web view above the console. */
export function WideLayout({ isPrivate, webOpen, setWebOpen }: Props) {
	const output: PanelSpec = {
		id: "output",
		defaultSize: webOpen ? "42%" : "100%",
		minSize: "120px",
		content: <OutputArea visible onShowWeb={webOpen ? undefined : () => setWebOpen(true)} />,
	};
	const web: PanelSpec = {
		id: "web",
		defaultSize: "58%",
		minSize: "120px",
		content: <WebView isPrivate={isPrivate} onClose={() => setWebOpen(false)} />,
	};
	return (
		<Panels
			name="main"
			panels={[
				{ id: "files", defaultSize: "14%", minSize: "150px", content: <FilesPanel /> },
				{ id: "editor", defaultSize: "42%", minSize: "240px", content: <EditorArea /> },
				// On a usual screen the console has then the 80 columns that programs reckon with.
				{
					id: "right",
					defaultSize: "44%",
					minSize: "240px",
					content: <Panels name="right" vertical panels={webOpen ? [web, output] : [output]} />,
				},
			]}
		/>
	);
}
