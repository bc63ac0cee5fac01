import type { Project, Template, Visibility } from "@repldock/protocol";
import { projectNameMaxLength } from "@repldock/protocol/constants";
import { Badge, Button, Callout, Dialog, Progress, SegmentedControl, Skeleton, TextField } from "@repldock/ui";
import { FileArchive, GitBranch, Globe, Lock, Search, Shapes } from "lucide-react";
import { useState } from "react";
import { callApi } from "../api/client.ts";
import { SubmitButton } from "../forms/submit-button.tsx";
import { textOf, useSubmit } from "../forms/use-submit.ts";
import { ArchiveField, GitFields } from "./import-fields.tsx";
import { type ImportSource, importProject } from "./import-project.ts";
import { TemplateIcon } from "./template-icon.tsx";
import { useTemplates } from "./use-templates.ts";

const visibilities = [
	{ value: "private", label: "Private", icon: <Lock aria-hidden /> },
	{ value: "public", label: "Public", icon: <Globe aria-hidden /> },
] as const;

const origins = [
	{ value: "template", label: "Template", icon: <Shapes aria-hidden /> },
	{ value: "file", label: "File", icon: <FileArchive aria-hidden /> },
	{ value: "git", label: "Git", icon: <GitBranch aria-hidden /> },
] as const;
type Origin = (typeof origins)[number]["value"];

const descriptions: Record<Origin, string> = {
	template: "Choose what to start from. It runs as it is; change whatever you like.",
	file: "Bring an archive of your files. A project exported from Replit runs as it did there.",
	git: "Bring a repository as it is now, or with all its history.",
};

/** Picks a template, an archive or a repository and makes a project of it: type a few letters, Enter, done. */
export function NewProjectDialog({ open, onClose }: { open: boolean; onClose: () => void }) {
	return open ? <OpenNewProjectDialog onClose={onClose} /> : null;
}

function OpenNewProjectDialog({ onClose }: { onClose: () => void }) {
	const { templates, problem: templatesProblem } = useTemplates();
	const [origin, setOrigin] = useState<Origin>("template");
	/** What the last attempt started from; its problem says nothing of the others. */
	const [tried, setTried] = useState<Origin>("template");
	const [query, setQuery] = useState("");
	const [picked, setPicked] = useState<string>();
	const [file, setFile] = useState<File | null>(null);
	const [history, setHistory] = useState<"latest" | "full">("latest");
	const [visibility, setVisibility] = useState<Visibility>("private");
	/** Part of an archive that is sent; undefined while the server is at work. */
	const [sent, setSent] = useState<number>();
	const [cancel] = useState(() => new AbortController());

	const found = (templates ?? []).filter((template) => matches(template, query));
	const chosen = found.find((template) => template.id === picked) ?? found[0];

	const { pending, problem, fieldError, onSubmit } = useSubmit(["name", "url"], async (values) => {
		setTried(origin);
		const name = textOf(values, "name").trim();
		const project = await create(name, textOf(values, "url").trim());
		if (!project || cancel.signal.aborted) return undefined;
		window.location.assign(`/projects/${project.id}`);
		return "leaving";
	});

	async function create(name: string, url: string): Promise<Project | undefined> {
		if (origin === "template") {
			if (!chosen) return undefined;
			const named = name === "" ? {} : { name };
			return callApi<Project>("POST", "/api/v1/projects", { template: chosen.id, visibility, ...named });
		}
		const source: ImportSource | null =
			origin === "git" ? { kind: "git", url, history } : file && { kind: "file", file };
		if (!source) return undefined;
		return importProject(source, { name, visibility }, { onProgress: setSent, signal: cancel.signal });
	}

	function close() {
		cancel.abort();
		onClose();
	}

	const shownProblem = (tried === origin ? problem : undefined) ?? templatesProblem;
	const ready = origin === "template" ? chosen !== undefined : origin === "git" || file !== null;
	return (
		<Dialog
			open
			onClose={close}
			size="large"
			title="New project"
			description={descriptions[origin]}
			footer={
				<>
					<Button onClick={close}>Cancel</Button>
					<SubmitButton form="new-project" pending={pending} disabled={!ready}>
						{origin === "template" ? "Create project" : "Import project"}
					</SubmitButton>
				</>
			}
		>
			<form id="new-project" className="new-project" method="post" onSubmit={onSubmit}>
				<SegmentedControl
					label="Start from"
					hideLabel
					options={origins}
					value={origin}
					onChange={setOrigin}
					disabled={pending}
				/>
				{shownProblem && <Callout tone="danger">{shownProblem}</Callout>}
				{origin === "template" && (
					<>
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
					</>
				)}
				{origin === "file" && <ArchiveField file={file} onPick={setFile} />}
				{origin === "git" && <GitFields error={fieldError("url")} history={history} onHistory={setHistory} />}
				{pending && origin !== "template" && (
					<Progress label={sent === undefined ? "Importing" : "Uploading"} value={sent} />
				)}
				<div className="new-project-details">
					<TextField
						label="Name"
						name="name"
						placeholder={origin === "template" ? (chosen?.name ?? "") : "As it is called there"}
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
