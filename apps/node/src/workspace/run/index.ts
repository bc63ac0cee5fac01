/** What `.replit` means: all of it pure, so that every habit of an imported project is a test. */
export { planEnvironment, programEnvironment, projectHome } from "./environment.ts";
export { planPorts } from "./ports.ts";
export { emptyProjectFile, type ProjectFile, parseProjectFile } from "./project-file.ts";
export { findEntrypoint, planBoot, planRun } from "./run-plan.ts";
export { terminalCommand } from "./terminal.ts";
