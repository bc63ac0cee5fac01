import type { ProjectState } from "@repldock/protocol";
import type { StatusDotProps } from "@repldock/ui";

/** How a project's state looks and what it is called. */
export const stateLook: Record<ProjectState, Pick<StatusDotProps, "tone" | "label" | "pulsing">> = {
	stopped: { tone: "neutral", label: "Stopped" },
	starting: { tone: "warning", label: "Starting", pulsing: true },
	running: { tone: "positive", label: "Running" },
	asleep: { tone: "neutral", label: "Asleep" },
	stopping: { tone: "warning", label: "Stopping", pulsing: true },
	failed: { tone: "danger", label: "Failed" },
};
