/** What `.replit` means: all of it pure, so that every habit of an imported project is a test. */
export { type EnvironmentInput, planEnvironment, programEnvironment, projectHome } from "./environment.ts";
export { type PortPlan, planPorts } from "./ports.ts";
export { emptyProjectFile, type ProjectFile, parseProjectFile } from "./project-file.ts";
export { findEntrypoint, planBoot, planRun, type RunInput, type RunPlan } from "./run-plan.ts";
export { terminalCommand } from "./terminal.ts";
