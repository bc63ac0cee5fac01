import type { ContainerState } from "@repldock/protocol";
import type { StatusDotProps } from "@repldock/ui";

/** How a container's state looks and what it is called. */
export const stateLook: Record<ContainerState, Pick<StatusDotProps, "tone" | "label" | "pulsing">> = {
	stopped: { tone: "neutral", label: "Stopped" },
	starting: { tone: "warning", label: "Starting", pulsing: true },
	running: { tone: "positive", label: "Running" },
	stopping: { tone: "warning", label: "Stopping", pulsing: true },
	failed: { tone: "danger", label: "Failed" },
};
