/** What `.replit` is read into. */

/** Names and values, in order. */
export type Pairs = readonly (readonly [string, string])[];

/** The plain keys of `.replit`. */
export interface Settings {
	entrypoint: string | null;
	language: string | null;
	/** `name-version[:revision]` */
	modules: readonly string[];
	/** Glob patterns of what the file tree does not show. */
	hidden: readonly string[];
	/** `[env]` and, before it, `[userenv.shared]`: names and values in order, `$NAME` not replaced yet. */
	environment: Pairs;
	languageServers: readonly { name: string; pattern: string | null; command: ProjectCommand }[];
	/** Directory that a static deployment serves. */
	publicDirectory: string | null;
	/** Whether imports without a package are installed before Run. */
	guessImports: boolean;
}

/** A command of `.replit`: a text for the shell, or a program with its arguments that no shell looks at. */
export type ProjectCommand = ({ shell: string } | { arguments: readonly string[] }) & {
	/** Variables for this command alone, in order. */
	environment: readonly (readonly [string, string])[];
};

export interface ProjectPort {
	localPort: number;
	/** Null: the port is not to be reached from outside. */
	externalPort: number | null;
	/** A server that listens on 127.0.0.1 only may be reached too. */
	exposeLocalhost: boolean;
}

export interface WorkflowTask {
	/** What it does: `shell.exec`, `packager.installForAll`, `workflow.run`, or something we do not know. */
	task: string;
	args: string;
	waitForPort: number | null;
	/** Its port is meant for the web view. */
	webview: boolean;
}

export interface Workflow {
	name: string;
	mode: "sequential" | "parallel";
	tasks: readonly WorkflowTask[];
}

/** What `.replit` says, as far as it means something here; all else in the file is left alone. */
export interface ProjectFile extends Settings {
	run: ProjectCommand | null;
	/** Before `run`. */
	compile: ProjectCommand | null;
	/** Once per start of the container. */
	onBoot: ProjectCommand | null;
	ports: readonly ProjectPort[];
	/** Name of the workflow that Run starts. */
	runButton: string | null;
	workflows: readonly Workflow[];
}
