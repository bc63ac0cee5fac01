import type { Project } from "@repldock/protocol";
import { projectNameMaxLength } from "@repldock/protocol/constants";
import { TextField, toast } from "@repldock/ui";
import { callApi } from "../api/client.ts";
import { FormDialog } from "../forms/form-dialog.tsx";
import { textOf, useSubmit } from "../forms/use-submit.ts";

export interface EditProjectDialogProps {
	project: Project;
	what: "name" | "slug";
	appsDomain: string;
	onClose: () => void;
	onChanged: (project: Project) => void;
}

/** Asks for a project's new name or address. */
export function EditProjectDialog({ project, what, appsDomain, onClose, onChanged }: EditProjectDialogProps) {
	const isName = what === "name";
	const submission = useSubmit([what], async (values) => {
		const value = textOf(values, what).trim();
		if (value !== project[what]) {
			onChanged(await callApi<Project>("PATCH", `/api/v1/projects/${project.id}`, { [what]: value }));
			toast({ title: isName ? "Project renamed" : "Address changed", tone: "positive" });
		}
		onClose();
		return undefined;
	});
	return (
		<FormDialog
			onClose={onClose}
			title={isName ? "Rename project" : "Change address"}
			description={isName ? undefined : "The old address stops working at once."}
			submission={submission}
			submit={isName ? "Rename" : "Change address"}
		>
			<TextField
				label={isName ? "Name" : "Address"}
				name={what}
				defaultValue={project[what]}
				maxLength={isName ? projectNameMaxLength : 48}
				required
				autoComplete="off"
				spellCheck={isName}
				autoCapitalize={isName ? "sentences" : "none"}
				after={isName ? undefined : `.${appsDomain}`}
				hint={isName ? undefined : "Small letters, digits and single hyphens."}
				error={submission.fieldError(what)}
				onFocus={(event) => event.currentTarget.select()}
				data-autofocus
			/>
		</FormDialog>
	);
}
