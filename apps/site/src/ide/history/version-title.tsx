import type { Version } from "@repldock/protocol";
import { versionNameMostLength } from "@repldock/protocol/constants";
import { Button, TextField } from "@repldock/ui";
import { type FormEvent, useState } from "react";
import { problemOf } from "../connection/problem.ts";
import { useWorkspace } from "../workspace-context.ts";
import { describeDay, describeKind, describeTime } from "./words.ts";

/** What a version is called, or the field in which that is typed. */
export function VersionTitle(props: { version: Version; editing: boolean; onEnd(): void }) {
	const { version, editing, onEnd } = props;
	const taken = new Date(version.takenAt);
	const moment = `${describeDay(taken, new Date())}, ${describeTime(version.takenAt)}`;
	if (editing) return <NameForm version={version} onEnd={onEnd} />;
	return (
		<div className="ide-history-title">
			<h3 tabIndex={-1} data-pane-title>
				{version.name ?? moment}
			</h3>
			<p>{version.name === null ? describeKind(version) : `${moment} · ${describeKind(version)}`}</p>
		</div>
	);
}

function NameForm({ version, onEnd }: { version: Version; onEnd(): void }) {
	const { history } = useWorkspace();
	const [pending, setPending] = useState(false);
	const [error, setError] = useState<string>();

	async function rename(event: FormEvent<HTMLFormElement>): Promise<void> {
		event.preventDefault();
		if (pending) return;
		const name = String(new FormData(event.currentTarget).get("name") ?? "").trim();
		if (name === (version.name ?? "")) return onEnd();
		if (name === "") return setError("Type a name, or take it away by the menu.");
		setPending(true);
		try {
			await history.rename(version.id, name);
			onEnd();
		} catch (problem) {
			setError(problemOf(problem).detail);
			setPending(false);
		}
	}
	return (
		<form className="ide-history-name" onSubmit={(event) => void rename(event)}>
			<TextField
				label="Name of the version"
				hideLabel
				name="name"
				defaultValue={version.name ?? ""}
				placeholder="Name"
				maxLength={versionNameMostLength}
				autoComplete="off"
				error={error}
				ref={(input) => input?.focus()}
				onKeyDown={(event) => event.key === "Escape" && onEnd()}
			/>
			<Button type="submit" size="small" variant="primary" pending={pending}>
				Save
			</Button>
			<Button size="small" variant="quiet" onClick={onEnd}>
				Cancel
			</Button>
		</form>
	);
}
