/**
 * Folders that package managers, compilers and caches fill and fill again: what an export "without dependencies" leaves
 * out, wherever they are. Names under the project folder are those of `images/toolchain/environment.json`.
 */
const dependencyFolders: ReadonlySet<string> = new Set([
	"node_modules",
	".npm-global",
	".pythonlibs",
	".venv",
	"venv",
	"__pycache__",
	".mypy_cache",
	".pytest_cache",
	".cache",
	".cargo",
	".go",
	".gem",
	".bundle",
	".gradle",
	".m2",
	".next",
	".upm",
]);

export function isDependencyFolder(name: string): boolean {
	return dependencyFolders.has(name);
}
