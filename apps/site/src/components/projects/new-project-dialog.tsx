import type { Project, Template, Visibility } from "@repldock/protocol";
import { projectNameMaxLength } from "@repldock/protocol/constants";
import { Badge, Button, Callout, Dialog, SegmentedControl, Skeleton, TextField } from "@repldock/ui";
import { Globe, Lock, Search } from "lucide-react";
import { useState } from "react";
import { callApi } from "../api/client.ts";
import { SubmitButton } from "../forms/submit-button.tsx";
import { textOf, useSubmit } from "../forms/use-submit.ts";
import { TemplateIcon } from "./template-icon.tsx";
import { useTemplates } from "./use-templates.ts";

const visibilities = [
	{ value: "private", label: "Private", icon: <Lock aria-hidden /> },
	{ value: "public", label: "Public", icon: <Globe aria-hidden /> },
] as const;

/** Picks a template and makes a project of it: type a few letters, Enter, done. */
export function NewProjectDialog({ open, onClose }: { open: boolean; onClose: () => void }) {
	return open ? <OpenNewProjectDialog onClose={onClose} /> : null;
}

function OpenNewProjectDialog({ onClose }: { onClose: () => void }) {
	const { templates, problem: templatesProblem } = useTemplates();
	const [query, setQuery] = useState("");
	const [picked, setPicked] = useState<string>();
	const [visibility, setVisibility] = useState<Visibility>("private");

	const found = (templates ?? []).filter((template) => matches(template, query));
	const chosen = found.find((template) => template.id === picked) ?? found[0];

	const { pending, problem, fieldError, onSubmit } = useSubmit(["name"], async (values) => {
		if (!chosen) return undefined;
		const name = textOf(values, "name").trim();
		const project = await callApi<Project>("POST", "/api/v1/projects", {
			template: chosen.id,
			visibility,
			...(name === "" ? {} : { name }),
		});
		window.location.assign(`/projects/${project.id}`);
		return "leaving";
	});

	return (
		<Dialog
			open
			onClose={onClose}
			size="large"
			title="New project"
			description="Choose what to start from. It runs as it is; change whatever you like."
			footer={
				<>
					<Button onClick={onClose}>Cancel</Button>
					<SubmitButton form="new-project" pending={pending} disabled={!chosen}>
						Create project
					</SubmitButton>
				</>
			}
		>
			<form id="new-project" className="new-project" method="post" onSubmit={onSubmit}>
				{(problem ?? templatesProblem) && <Callout tone="danger">{problem ?? templatesProblem}</Callout>}
				<TextField
					label="Search templates"
					hideLabel
					type="search"
					placeholder="Search languages and templates"
					before={<Search size={16} aria-hidden />}
					value={query}
					autoComplete="off"
					onChange={(event) => setQuery(event.currentTarget.value)}
					data-autofocus
				/>
				<fieldset className="templates">
					<legend className="rd-visually-hidden">Template</legend>
					{!templates && !templatesProblem && loadingTiles}
					{found.map((template) => (
						<TemplateChoice
							key={template.id}
							template={template}
							checked={template === chosen}
							onPick={() => setPicked(template.id)}
						/>
					))}
					{templates && found.length === 0 && <p className="quiet">No template is called “{query}”.</p>}
				</fieldset>
				<div className="new-project-details">
					<TextField
						label="Name"
						name="name"
						placeholder={chosen?.name ?? ""}
						maxLength={projectNameMaxLength}
						autoComplete="off"
						error={fieldError("name")}
					/>
					<SegmentedControl label="Who may see it" options={visibilities} value={visibility} onChange={setVisibility} />
				</div>
			</form>
		</Dialog>
	);
}

interface TemplateChoiceProps {
	template: Template;
	checked: boolean;
	onPick: () => void;
}

function TemplateChoice({ template, checked, onPick }: TemplateChoiceProps) {
	return (
		<label className="template">
			<input
				type="radio"
				name="template"
				value={template.id}
				checked={checked}
				onChange={onPick}
				aria-label={template.name}
			/>
			<TemplateIcon language={template.language} />
			<span className="template-text">
				<span className="template-name">
					{template.name}
					{template.kind === "web" && <Badge tone="accent">Web</Badge>}
				</span>
				<span className="quiet">{template.description}</span>
			</span>
		</label>
	);
}

const loadingTiles = ["one", "two", "three", "four", "five", "six"].map((key) => <Skeleton key={key} height="4rem" />);

function matches(template: Template, query: string): boolean {
	const text = `${template.name} ${template.language} ${template.id} ${template.description}`.toLowerCase();
	return query
		.toLowerCase()
		.split(/\s+/u)
		.every((word) => text.includes(word));
}
