/** Installs what a project's package files name: file → shell text. The first file of a kind that is there counts. */
const installers: readonly { files: readonly string[]; install: string }[] = [
	{ files: ["package-lock.json"], install: "npm ci" },
	{ files: ["package.json"], install: "npm install" },
	{ files: ["requirements.txt"], install: "pip install -r requirements.txt" },
	{ files: ["pyproject.toml"], install: "pip install ." },
	{ files: ["go.mod"], install: "go mod download" },
	{ files: ["Cargo.toml"], install: "cargo fetch" },
	{ files: ["Gemfile"], install: "bundle install" },
	{ files: ["composer.json"], install: "composer install" },
];

/** Files of one kind exclude those after them. */
const oneOfEach: readonly (readonly string[])[] = [
	["package-lock.json", "package.json"],
	["requirements.txt", "pyproject.toml"],
];

/** Shell texts that install all packages which the project's files ask for. */
export function installScripts(has: (path: string) => boolean): string[] {
	const present = installers.flatMap(({ files, install }) => files.filter(has).map((file) => ({ file, install })));
	const excluded = oneOfEach.flatMap((kind) => kind.filter(has).slice(1));
	return present.filter(({ file }) => !excluded.includes(file)).map(({ install }) => install);
}
