import type { Problem } from "@repldock/protocol";
import { versionNameMostLength } from "@repldock/protocol/constants";
import { Button, Callout, Dialog, TextField, toast } from "@repldock/ui";
import { type FormEvent, useEffect, useId, useRef, useState } from "react";
import { problemOf } from "../connection/problem.ts";
import { useStore } from "../use-store.ts";
import { useWorkspace } from "../workspace-context.ts";
import { whyWaiting } from "./actions.ts";

/** Asks for a version's name. It may be left while the version is on its way; the list shows that. */
export function SaveDialog({ onClose }: { onClose(): void }) {
	const { history, state } = useWorkspace();
	const { saving } = useStore(history.state);
	const waiting = whyWaiting(useStore(state));
	const [error, setError] = useState<string>();
	const [failure, setFailure] = useState<Problem | null>(null);
	const form = useId();
	const isOpen = useRef(false);
	useEffect(() => {
		isOpen.current = true;
		return () => {
			isOpen.current = false;
		};
	}, []);

	async function save(event: FormEvent<HTMLFormElement>): Promise<void> {
		event.preventDefault();
		if (saving !== null) return;
		const name = String(new FormData(event.currentTarget).get("name") ?? "").trim();
		if (name === "") return setError("Type a name by which you will know it again.");
		setError(undefined);
		setFailure(null);
		try {
			await history.save(name);
			toast({
				title: `“${name}” is saved`,
				detail: "It is durable, and stays until its name is taken away.",
				tone: "positive",
			});
			if (isOpen.current) onClose();
		} catch (thrown) {
			const problem = problemOf(thrown);
			// Who went on meanwhile is told beside what they do.
			if (isOpen.current) setFailure(problem);
			else toast({ title: `“${name}” was not saved`, detail: problem.detail, tone: "danger" });
		}
	}
	return (
		<Dialog
			open
			onClose={onClose}
			size="small"
			title="Save a version"
			description="All files as they are now, under a name. It stays until you take the name away."
			footer={
				<>
					<Button onClick={onClose}>{saving === null ? "Cancel" : "Go on meanwhile"}</Button>
					<Button type="submit" form={form} variant="primary" pending={saving !== null}>
						Save
					</Button>
				</>
			}
		>
			<form id={form} className="ide-history-form" onSubmit={(event) => void save(event)}>
				<TextField
					label="Name"
					name="name"
					placeholder="Before the new menu"
					maxLength={versionNameMostLength}
					autoComplete="off"
					data-autofocus
					readOnly={saving !== null}
					error={error}
				/>
				{saving !== null && (
					<p role="status" className="ide-history-hint">
						On its way to the object store…
					</p>
				)}
				{failure && (
					<Callout tone="danger" title="The version was not saved">
						<p>{failure.detail}</p>
						{waiting !== null && <p>{waiting}</p>}
					</Callout>
				)}
				{waiting !== null && !failure && (
					<Callout tone="warning" title="Nothing can be stored just now">
						<p>{waiting} A version is saved once it is durable; until then your files are kept on this server.</p>
					</Callout>
				)}
			</form>
		</Dialog>
	);
}
