import type { Project } from "@repldock/protocol";
import { Button, IconButton } from "@repldock/ui";
import { GitFork } from "lucide-react";
import { lazy, Suspense, useState } from "react";

// Few visits to the editor want it: its code comes with the press.
const ForkDialog = lazy(async () => {
	const { ForkDialog } = await import("../../components/projects/fork-dialog.tsx");
	return { default: ForkDialog };
});

/**
 * Begins a project of one's own with these files.
 * @param main for people who may only look: it stands in the place of Run, as their way to run or change anything.
 */
export function ForkButton({ project, main = false }: { project: Project | null; main?: boolean }) {
	const [open, setOpen] = useState(false);
	if (!project) return null;
	return (
		<>
			{main ? (
				<Button
					size="small"
					variant="primary"
					className="ide-run"
					icon={<GitFork aria-hidden />}
					onClick={() => setOpen(true)}
				>
					Fork
				</Button>
			) : (
				<IconButton label="Fork" size="small" icon={<GitFork aria-hidden />} onClick={() => setOpen(true)} />
			)}
			{open && (
				<Suspense fallback={null}>
					<ForkDialog project={project} onClose={() => setOpen(false)} />
				</Suspense>
			)}
		</>
	);
}
