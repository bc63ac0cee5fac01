import type { Project, Template } from "@repldock/protocol";
import { Button, EmptyState, toast } from "@repldock/ui";
import { Trash2, Undo2 } from "lucide-react";
import { useState } from "react";
import { callApi, sentenceOf } from "../api/client.ts";
import { daysUntil } from "../time.ts";
import { TemplateIcon } from "./template-icon.tsx";

export interface TrashProps {
	projects: Project[];
	templates: Template[];
	onRestored: (id: string) => void;
}

/** Deleted projects and how long they can still be had back. */
export function Trash({ projects, templates, onRestored }: TrashProps) {
	if (projects.length === 0) {
		return (
			<EmptyState icon={<Trash2 aria-hidden />} title="The trash is empty">
				Deleted projects wait here before they are gone for good.
			</EmptyState>
		);
	}
	return (
		<ul className="projects" data-view="list" aria-label="Deleted projects">
			{projects.map((project) => {
				const template = templates.find((candidate) => candidate.id === project.template);
				return (
					<li key={project.id} className="project" data-deleted>
						<TemplateIcon language={template?.language ?? project.template} />
						<div className="project-name">
							<strong>{project.name}</strong>
							<p>
								<span>{template?.name ?? project.template}</span>
								<span>{project.purgeAt ? timeLeft(project.purgeAt) : ""}</span>
							</p>
						</div>
						<RestoreButton project={project} onRestored={onRestored} />
					</li>
				);
			})}
		</ul>
	);
}

function RestoreButton({ project, onRestored }: { project: Project; onRestored: (id: string) => void }) {
	const [pending, setPending] = useState(false);
	async function restore() {
		setPending(true);
		try {
			await callApi("POST", `/api/v1/projects/${project.id}/restore`);
			onRestored(project.id);
			toast({
				title: `Restored ${project.name}`,
				tone: "positive",
				action: { label: "Open", onSelect: () => window.location.assign(`/projects/${project.id}`) },
			});
		} catch (error) {
			toast({ title: `${project.name} is still in the trash`, detail: sentenceOf(error), tone: "danger" });
			setPending(false);
		}
	}
	return (
		<Button
			size="small"
			icon={<Undo2 aria-hidden />}
			pending={pending}
			aria-label={`Restore ${project.name}`}
			onClick={() => void restore()}
		>
			Restore
		</Button>
	);
}

function timeLeft(purgeAt: string): string {
	const days = daysUntil(purgeAt);
	if (days === 0) return "Goes away any moment";
	return days === 1 ? "1 day left" : `${days} days left`;
}
