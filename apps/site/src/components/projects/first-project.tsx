import type { Project, Template } from "@repldock/protocol";
import { Button, Callout, Logo, Spinner } from "@repldock/ui";
import { useState } from "react";
import { callApi, sentenceOf } from "../api/client.ts";
import { TemplateIcon } from "./template-icon.tsx";

/** What most people start with, in this order; those the site has are offered. */
const favourites = ["python", "node", "static", "python-web"];

export interface FirstProjectProps {
	userName: string;
	templates: Template[];
	onMore: () => void;
}

/** The page of somebody who has no project yet: one press from running code. */
export function FirstProject({ userName, templates, onMore }: FirstProjectProps) {
	const [creating, setCreating] = useState<string>();
	const [problem, setProblem] = useState<string>();
	const offered = favourites.flatMap((id) => templates.find((template) => template.id === id) ?? []);

	async function create(template: Template) {
		if (creating) return;
		setCreating(template.id);
		setProblem(undefined);
		try {
			const project = await callApi<Project>("POST", "/api/v1/projects", { template: template.id });
			window.location.assign(`/projects/${project.id}`);
		} catch (error) {
			setProblem(sentenceOf(error));
			setCreating(undefined);
		}
	}

	return (
		<div className="first-project">
			<Logo size={48} markOnly />
			<h2>Welcome aboard, {userName.split(/\s+/u)[0]}</h2>
			<p className="quiet">Pick something to start from. It opens ready to run, and you can change everything.</p>
			{problem && <Callout tone="danger">{problem}</Callout>}
			<ul className="first-project-choices">
				{offered.map((template) => (
					<li key={template.id}>
						<button
							type="button"
							className="first-project-choice"
							aria-busy={creating === template.id || undefined}
							onClick={() => void create(template)}
						>
							{creating === template.id ? (
								<Spinner size={40} />
							) : (
								<TemplateIcon language={template.language} size={40} />
							)}
							<strong>{template.name}</strong>
							<span className="quiet">{template.description}</span>
						</button>
					</li>
				))}
			</ul>
			<Button onClick={onMore}>See all {templates.length} templates</Button>
		</div>
	);
}
