import type { Project } from "@repldock/protocol";
import { projectNameMaxLength } from "@repldock/protocol/constants";
import { TextField } from "@repldock/ui";
import { callApi } from "../api/client.ts";
import { FormDialog } from "../forms/form-dialog.tsx";
import { textOf, useSubmit } from "../forms/use-submit.ts";

/** Makes a project of one's own that begins as this one is, and opens it. */
export function ForkDialog({ project, onClose }: { project: Project; onClose: () => void }) {
	const submission = useSubmit(["name"], async (values) => {
		const name = textOf(values, "name").trim();
		const fork = await callApi<Project>("POST", `/api/v1/projects/${project.id}/fork`, { name });
		window.location.assign(`/projects/${fork.id}`);
		return "leaving";
	});
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
