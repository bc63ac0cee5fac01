import type { Project } from "@repldock/protocol";
import { Button, IconButton } from "@repldock/ui";
import { GitFork } from "lucide-react";
import { lazy, Suspense, useState } from "react";
import { useStore } from "../use-store.ts";
import { useWorkspace } from "../workspace-context.ts";

// Few visits to the editor want it: its code comes with the press.
const ForkDialog = lazy(async () => {
	const { ForkDialog } = await import("../../components/projects/fork-dialog.tsx");
	return { default: ForkDialog };
});

/** Begins a project of one's own with these files: for people who may only look it is the way to change anything. */
export function ForkButton({ project }: { project: Project | null }) {
	const { rights } = useWorkspace();
	const mayEdit = useStore(rights) === "edit";
	const [open, setOpen] = useState(false);
	if (!project) return null;
	return (
		<>
			{mayEdit ? (
				<IconButton label="Fork" size="small" icon={<GitFork aria-hidden />} onClick={() => setOpen(true)} />
			) : (
				<Button size="small" variant="primary" icon={<GitFork aria-hidden />} onClick={() => setOpen(true)}>
					Fork
				</Button>
			)}
			{open && (
				<Suspense fallback={null}>
					<ForkDialog project={project} onClose={() => setOpen(false)} />
				</Suspense>
			)}
		</>
	);
}
