import type { Project } from "@repldock/protocol";
import { IconButton, toast } from "@repldock/ui";
import { Globe2 } from "lucide-react";
import { lazy, Suspense, useState } from "react";
import { problemOf } from "../connection/problem.ts";
import { useStore } from "../use-store.ts";
import { useWorkspace } from "../workspace-context.ts";

// Few visits to the editor want it: its code comes with the press.
const DomainsDialog = lazy(async () => {
	const { DomainsDialog } = await import("../../components/projects/domains-dialog.tsx");
	return { default: DomainsDialog };
});

/** Shows the app under names of the owner's own. */
export function DomainsButton() {
	const { site, rights } = useWorkspace();
	const mayEdit = useStore(rights) === "edit";
	const [project, setProject] = useState<Project | null>(null);
	if (!mayEdit) return null;

	async function open(): Promise<void> {
		try {
			setProject(await site.project());
		} catch (error) {
			toast({ title: "The domains cannot be shown", detail: problemOf(error).detail, tone: "danger" });
		}
	}
	return (
		<>
			<IconButton label="Domains" size="small" icon={<Globe2 aria-hidden />} onClick={() => void open()} />
			{project && (
				<Suspense fallback={null}>
					<DomainsDialog project={project} onClose={() => setProject(null)} />
				</Suspense>
			)}
		</>
	);
}
