import type { FileChange, Version, VersionChanges } from "@repldock/protocol";
import { Button, Callout, Spinner } from "@repldock/ui";
import { Folder } from "lucide-react";
import { useEffect, useState } from "react";
import { type ProblemError, problemOf } from "../connection/problem.ts";
import { FileIcon } from "../files/file-icon.tsx";
import { baseName, parentOf, showName } from "../files/paths.ts";
import { useStore } from "../use-store.ts";
import { useWorkspace } from "../workspace-context.ts";
import { changeWords, countChanges } from "./words.ts";

/** What has happened to the project's files since a version. It follows the project. */
export function ChangesList({ version }: { version: Version }) {
	const { history } = useWorkspace();
	const { revision, file } = useStore(history.state);
	const [told, setTold] = useState<VersionChanges | null>(null);
	const [problem, setProblem] = useState<ProblemError["problem"] | null>(null);
	const [attempt, setAttempt] = useState(0);

	// biome-ignore lint/correctness/useExhaustiveDependencies: each of these asks anew
	useEffect(() => {
		let left = false;
		history.client.changes(version.id).then(
			(changes) => {
				if (left) return;
				setTold(changes);
				setProblem(null);
			},
			(error: unknown) => left || setProblem(problemOf(error)),
		);
		return () => {
			left = true;
		};
	}, [history, version.id, revision, attempt]);

	if (problem) {
		return (
			<div className="ide-history-problem">
				<Callout
					tone="danger"
					title="The changes cannot be shown"
					action={
						<Button size="small" onClick={() => setAttempt(attempt + 1)}>
							Try again
						</Button>
					}
				>
					<p>{problem.detail}</p>
				</Callout>
			</div>
		);
	}
	if (!told) {
		return (
			<p className="ide-history-wait" role="status">
				<Spinner size={14} /> Looking for what has changed…
			</p>
		);
	}
	return (
		<>
			<p className="ide-history-count" role="status">
				{countChanges(told.changes, told.truncated, told.unread)}
			</p>
			<ul className="ide-history-changes" aria-label="Changed files">
				{told.changes.map((change) => (
					// What became something of another kind is told twice.
					<li key={`${change.change} ${change.path}`}>
						<ChangeRow
							change={change}
							chosen={file?.path === change.path}
							onChoose={() => history.chooseFile({ path: change.path, kind: change.kind })}
						/>
					</li>
				))}
			</ul>
		</>
	);
}

function ChangeRow({ change, chosen, onChoose }: { change: FileChange; chosen: boolean; onChoose(): void }) {
	const { word, sign } = changeWords[change.change];
	const name = showName(baseName(change.path));
	const folder = parentOf(change.path);
	return (
		<button
			type="button"
			className="ide-history-change"
			data-row={change.path}
			data-change={change.change}
			aria-current={chosen || undefined}
			title={`${showName(change.path)}, ${word.toLowerCase()} since`}
			onClick={onChoose}
		>
			{change.kind === "directory" ? (
				<Folder size={15} className="ide-folder-icon" aria-hidden />
			) : (
				<FileIcon name={change.path} />
			)}
			<span className="ide-history-change-name">
				{name}
				{folder !== "" && <span> {showName(folder)}/</span>}
			</span>
			<span className="ide-history-sign">
				<span aria-hidden="true">{sign}</span>
				<span className="rd-visually-hidden">{word}</span>
			</span>
		</button>
	);
}
