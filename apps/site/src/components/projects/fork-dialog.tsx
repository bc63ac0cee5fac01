import type { Project, ProjectForked } from "@repldock/protocol";
import { projectNameMaxLength } from "@repldock/protocol/constants";
import { Button, Callout, Dialog, LinkButton, TextField } from "@repldock/ui";
import { useState } from "react";
import { callApi } from "../api/client.ts";
import { FormDialog } from "../forms/form-dialog.tsx";
import { textOf, useSubmit } from "../forms/use-submit.ts";
import { momentText } from "../time.ts";

interface ForkDialogProps {
	project: Project;
	onClose: () => void;
}

/** Makes a project of one's own that begins as this one is, and opens it; says so first when its files are older. */
export function ForkDialog({ project, onClose }: ForkDialogProps) {
	const [dated, setDated] = useState<{ id: string; asOf: string } | null>(null);
	const submission = useSubmit(["name"], async (values) => {
		const name = textOf(values, "name").trim();
		const fork = await callApi<ProjectForked>("POST", `/api/v1/projects/${project.id}/fork`, { name });
		if (fork.asOf !== null) {
			setDated({ id: fork.id, asOf: fork.asOf });
			return undefined;
		}
		window.location.assign(`/projects/${fork.id}`);
		return "leaving";
	});
	if (dated) {
		return (
			<Dialog
				open
				onClose={onClose}
				title={`Fork ${project.name}`}
				description={`Your fork is made, with all files as of ${momentText(dated.asOf)}.`}
				footer={
					<>
						<Button onClick={onClose}>Close</Button>
						<LinkButton href={`/projects/${dated.id}`} variant="primary">
							Open the fork
						</LinkButton>
					</>
				}
			>
				<Callout tone="warning">
					What was changed in {project.name} since then is not in it: its server did not answer in time, or could not
					store it.
				</Callout>
			</Dialog>
		);
	}
	return (
		<FormDialog
			onClose={onClose}
			title={`Fork ${project.name}`}
			description="A private project of your own, with all files as they are now. Neither changes the other."
			submission={submission}
			submit="Fork"
		>
			<TextField
				label="Name"
				name="name"
				defaultValue={`Fork of ${project.name}`.slice(0, projectNameMaxLength).trim()}
				maxLength={projectNameMaxLength}
				required
				autoComplete="off"
				error={submission.fieldError("name")}
				onFocus={(event) => event.currentTarget.select()}
				data-autofocus
			/>
		</FormDialog>
	);
}
