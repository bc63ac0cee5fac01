import type { Project } from "@repldock/protocol";
import { projectNameMaxLength } from "@repldock/protocol/constants";
import { toast } from "@repldock/ui";
import { useState } from "react";
import { problemOf } from "../connection/problem.ts";
import { useStore } from "../use-store.ts";
import { useWorkspace } from "../workspace-context.ts";

/** The project's name; a press makes it a field. */
export function ProjectName({ project, onChange }: { project: Project; onChange(project: Project): void }) {
	const { site, rights } = useWorkspace();
	const mayEdit = useStore(rights) === "edit";
	const [editing, setEditing] = useState(false);

	async function rename(typed: string): Promise<void> {
		setEditing(false);
		const name = typed.trim();
		if (name === "" || name === project.name) return;
		const before = project;
		onChange({ ...project, name });
		try {
			onChange(await site.rename(name));
		} catch (error) {
			onChange(before);
			toast({ title: "The project was not renamed", detail: problemOf(error).detail, tone: "danger" });
		}
	}
	if (!editing) {
		return (
			<h1 className="ide-project-name">
				<button
					type="button"
					disabled={!mayEdit}
					title={mayEdit ? "Rename the project" : project.name}
					aria-label={mayEdit ? `${project.name}, rename` : undefined}
					onClick={() => setEditing(true)}
				>
					{project.name}
				</button>
			</h1>
		);
	}
	return (
		<input
			className="ide-project-name"
			aria-label="Name of the project"
			defaultValue={project.name}
			maxLength={projectNameMaxLength}
			ref={(input) => input?.select()}
			onBlur={(event) => void rename(event.target.value)}
			onKeyDown={(event) => {
				if (event.key === "Enter") event.currentTarget.blur();
				if (event.key === "Escape") setEditing(false);
			}}
		/>
	);
}
