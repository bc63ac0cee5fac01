import type { Version } from "@repldock/protocol";
import { Button, Callout, IconButton, SegmentedControl, Spinner, toast } from "@repldock/ui";
import { ArrowLeft, Download, FileCode, RotateCcw } from "lucide-react";
import { useState } from "react";
import { problemOf } from "../connection/problem.ts";
import { saveResponse } from "../files/download.ts";
import { FileIcon } from "../files/file-icon.tsx";
import { baseName, parentOf, showName } from "../files/paths.ts";
import { useStore } from "../use-store.ts";
import { useWorkspace } from "../workspace-context.ts";
import { restoreOrTell } from "./actions.ts";
import { compareTexts } from "./content.ts";
import { FileBody } from "./file-body.tsx";
import type { ChosenFile } from "./history.ts";
import { type Compared, useCompared } from "./use-compared.ts";

/** One file of a version: beside what it is now, or as it was; with the ways to have it back. */
export function FilePane({ version, file }: { version: Version; file: ChosenFile }) {
	const { history, rights, tabs } = useWorkspace();
	const mayEdit = useStore(rights) === "edit";
	const [view, setView] = useState<"compare" | "then">("compare");
	const [pending, setPending] = useState(false);
	const { state, again } = useCompared(version, file);
	const ready = state.kind === "ready" ? state : null;
	const folder = parentOf(file.path);
	const wasThere = file.kind !== "file" || (ready !== null && ready.then.kind !== "absent");
	const isText = ready?.then.kind === "text" && ready.now.kind === "text";

	function openInEditor(): void {
		tabs.open(file.path);
		history.show(false);
	}
	async function restore(): Promise<void> {
		setPending(true);
		await restoreOrTell(history, version, file.path);
		setPending(false);
	}
	async function download(): Promise<void> {
		try {
			await saveResponse(await history.client.content(version.id, file.path), baseName(file.path));
		} catch (error) {
			toast({ title: "The download failed", detail: problemOf(error).detail, tone: "danger" });
		}
	}
	return (
		<section className="ide-history-pane" data-pane="file" aria-label="File of the version">
			<header className="ide-history-file-head">
				<IconButton
					label="Back to the version"
					className="ide-history-back-to-version"
					size="small"
					icon={<ArrowLeft aria-hidden />}
					onClick={() => history.chooseFile(null)}
				/>
				<h3 tabIndex={-1} data-pane-title title={showName(file.path)}>
					<FileIcon name={file.path} />
					<span>
						{showName(baseName(file.path))}
						{folder !== "" && <span className="ide-history-folder"> {showName(folder)}/</span>}
					</span>
				</h3>
				<div className="ide-history-file-actions">
					{isText && (
						<SegmentedControl
							label="How to show the file"
							hideLabel
							options={[
								{ value: "compare", label: "Compare" },
								{ value: "then", label: "As it was" },
							]}
							value={view}
							onChange={setView}
						/>
					)}
					{file.kind === "file" && ready && ready.now.kind !== "absent" && (
						<IconButton
							label="Open the file in the editor"
							size="small"
							icon={<FileCode aria-hidden />}
							onClick={openInEditor}
						/>
					)}
					{file.kind === "file" && wasThere && (
						<IconButton
							label="Download the file as it was"
							size="small"
							icon={<Download aria-hidden />}
							onClick={() => void download()}
						/>
					)}
					{mayEdit && wasThere && (
						<Button size="small" icon={<RotateCcw aria-hidden />} pending={pending} onClick={() => void restore()}>
							{file.kind === "directory" ? "Restore this folder" : "Restore this file"}
						</Button>
					)}
				</div>
			</header>
			<p className="ide-history-note" role="status">
				{noteOf(file, state)}
			</p>
			<div className="ide-history-body">
				{state.kind === "loading" && (
					<div className="ide-centered">
						<Spinner label="Opening the file" />
					</div>
				)}
				{state.kind === "failed" && (
					<div className="ide-history-problem">
						<Callout
							tone="danger"
							title="The file cannot be shown"
							action={
								<Button size="small" onClick={again}>
									Try again
								</Button>
							}
						>
							<p>{state.problem.detail}</p>
						</Callout>
					</div>
				)}
				{ready && <FileBody path={file.path} then={ready.then} now={ready.now} compare={view === "compare"} />}
			</div>
		</section>
	);
}

/** What became of the file, in a sentence. */
function noteOf(file: ChosenFile, state: Compared): string {
	if (file.kind === "directory") return "A folder: restore it with all that was in it, or look for it in “All files”.";
	if (file.kind !== "file") return "This is a link or a device, which has no content to show.";
	if (state.kind !== "ready") return "";
	const { then, now } = state;
	if (then.kind === "absent" && now.kind === "absent") return "It is neither in this version nor in the project now.";
	if (then.kind === "absent") return "Added since: it is not in this version.";
	if (now.kind === "absent") return "Removed since: this is what it was.";
	if (then.kind !== "text" || now.kind !== "text") return "";
	const difference = compareTexts(then.text, now.text);
	if (difference === "same") return "Not changed since.";
	return difference === "line-ends" ? "Only the ends of its lines have changed since." : "";
}
