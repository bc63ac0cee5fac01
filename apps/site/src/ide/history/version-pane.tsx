import type { Version } from "@repldock/protocol";
import { Button, IconButton, Menu, type MenuEntry, TabPanel, Tabs, toast } from "@repldock/ui";
import { ArrowLeft, Download, Ellipsis, FolderTree, GitCompareArrows, RotateCcw } from "lucide-react";
import { useState } from "react";
import { problemOf } from "../connection/problem.ts";
import { exportEntries } from "../transfer/export-entries.tsx";
import { useStore } from "../use-store.ts";
import { useWorkspace } from "../workspace-context.ts";
import { ChangesList } from "./changes-list.tsx";
import { RestoreDialog } from "./restore-dialog.tsx";
import { VersionTitle } from "./version-title.tsx";
import { VersionTree } from "./version-tree.tsx";
import { explainKind } from "./words.ts";

type View = "changes" | "files";

/** One version: what it is, what can be done with it, what has changed since, and all its files. */
export function VersionPane({ version }: { version: Version }) {
	const { history, rights, transfers } = useWorkspace();
	const mayEdit = useStore(rights) === "edit";
	const [view, setView] = useState<View>("changes");
	const [restoring, setRestoring] = useState(false);
	const [naming, setNaming] = useState(false);
	const hint = explainKind(version);

	async function forget(): Promise<void> {
		const { id, name } = version;
		try {
			await history.rename(id, null);
			toast({
				title: `“${name}” is a name no more`,
				detail: "The version is thinned out as it grows old.",
				action: { label: "Undo", onSelect: () => void giveBack(id, name) },
			});
		} catch (error) {
			toast({ title: "The name was not taken away", detail: problemOf(error).detail, tone: "danger" });
		}
	}
	async function giveBack(id: Version["id"], name: string | null): Promise<void> {
		try {
			await history.rename(id, name);
		} catch (error) {
			toast({ title: "The version did not get its name back", detail: problemOf(error).detail, tone: "danger" });
		}
	}
	const entries: MenuEntry[] = [
		{ id: "rename", label: version.name === null ? "Give it a name" : "Rename", onSelect: () => setNaming(true) },
		...(version.name === null
			? []
			: [{ id: "forget", label: "Take the name away", onSelect: () => void forget() } satisfies MenuEntry]),
	];
	return (
		<section className="ide-history-pane" data-pane="version" aria-label="Version">
			<header className="ide-history-head">
				<div className="ide-history-head-line">
					<IconButton
						label="All versions"
						className="ide-history-back"
						size="small"
						icon={<ArrowLeft aria-hidden />}
						onClick={() => history.choose(null)}
					/>
					<VersionTitle version={version} editing={naming} onEnd={() => setNaming(false)} />
					{mayEdit && !naming && (
						<Menu
							label="Name of the version"
							align="end"
							entries={entries}
							trigger={(props) => (
								<IconButton label="Name of the version" size="small" icon={<Ellipsis aria-hidden />} {...props} />
							)}
						/>
					)}
				</div>
				{hint && <p className="ide-history-hint">{hint}</p>}
				<div className="ide-history-actions">
					{mayEdit && (
						<Button size="small" icon={<RotateCcw aria-hidden />} onClick={() => setRestoring(true)}>
							Restore the project…
						</Button>
					)}
					<Menu
						label="Download this version"
						entries={exportEntries(transfers, version.id)}
						trigger={(props) => (
							<Button size="small" icon={<Download aria-hidden />} {...props}>
								Download
							</Button>
						)}
					/>
				</div>
			</header>
			<div className="ide-bar">
				<Tabs
					id="history"
					label="What to see of the version"
					tabs={[
						{ id: "changes", label: "Changed since", icon: <GitCompareArrows aria-hidden /> },
						{ id: "files", label: "All files", icon: <FolderTree aria-hidden /> },
					]}
					selected={view}
					onSelect={(id) => setView(id as View)}
				/>
			</div>
			<TabPanel tabs="history" id="changes" hidden={view !== "changes"} className="ide-history-panel">
				<ChangesList version={version} />
			</TabPanel>
			<TabPanel tabs="history" id="files" hidden={view !== "files"} className="ide-history-panel">
				{view === "files" && <VersionTree version={version} />}
			</TabPanel>
			{restoring && <RestoreDialog version={version} onClose={() => setRestoring(false)} />}
		</section>
	);
}
