import type { Project } from "@repldock/protocol";
import { projectNameMaxLength } from "@repldock/protocol/constants";
import { Button, Callout, Dialog, TextField } from "@repldock/ui";
import { callApi } from "../api/client.ts";
import { SubmitButton } from "../forms/submit-button.tsx";
import { textOf, useSubmit } from "../forms/use-submit.ts";

/** Makes a project of one's own that begins as this one is, and opens it. */
export function ForkDialog({ project, onClose }: { project: Project; onClose: () => void }) {
	const { pending, problem, fieldError, onSubmit } = useSubmit(["name"], async (values) => {
		const name = textOf(values, "name").trim();
		const fork = await callApi<Project>("POST", `/api/v1/projects/${project.id}/fork`, { name });
		window.location.assign(`/projects/${fork.id}`);
		return "leaving";
	});
	return (
		<Dialog
			open
			onClose={onClose}
			title={`Fork ${project.name}`}
			description="A private project of your own, with all files as they are now. Neither changes the other."
			footer={
				<>
					<Button onClick={onClose}>Cancel</Button>
					<SubmitButton form="fork-project" pending={pending}>
						Fork
					</SubmitButton>
				</>
			}
		>
			<form id="fork-project" className="form" method="post" onSubmit={onSubmit}>
				{problem && <Callout tone="danger">{problem}</Callout>}
				<TextField
					label="Name"
					name="name"
					defaultValue={`Fork of ${project.name}`.slice(0, projectNameMaxLength).trim()}
					maxLength={projectNameMaxLength}
					required
					autoComplete="off"
					error={fieldError("name")}
					onFocus={(event) => event.currentTarget.select()}
					data-autofocus
				/>
			</form>
		</Dialog>
	);
}
