import { Button, EmptyState, Spinner } from "@repldock/ui";
import { Download, FileQuestion } from "lucide-react";
import { useEffect, useState } from "react";
import { problemOf } from "../connection/problem.ts";
import { downloadFile } from "../files/download.ts";
import { baseName, showName } from "../files/paths.ts";
import { useWorkspace } from "../workspace-context.ts";
import { previewOf } from "./previews.ts";

/** Larger files are only offered for download. */
const mostPreviewBytes = 30 * 1024 * 1024;

type Preview = { kind: "loading" } | { kind: "none"; reason: string } | { kind: "ready"; url: string };

/** A file that is no text: shown if the browser can, and offered for download. */
export function FilePreview({ path, reason }: { path: string; reason: string }) {
	const { node } = useWorkspace();
	const type = previewOf(path);
	const [preview, setPreview] = useState<Preview>({ kind: "loading" });

	useEffect(() => {
		const abort = new AbortController();
		let url: string | null = null;
		async function load(): Promise<void> {
			if (!type) return setPreview({ kind: "none", reason });
			const response = await node.read(path, { signal: abort.signal });
			if (Number(response.headers.get("content-length")) > mostPreviewBytes) {
				abort.abort();
				return setPreview({ kind: "none", reason });
			}
			const bytes = await response.arrayBuffer();
			if (abort.signal.aborted) return;
			url = URL.createObjectURL(new Blob([bytes], { type: type.mime }));
			setPreview({ kind: "ready", url });
		}
		load().catch((error: unknown) => {
			if (!abort.signal.aborted) setPreview({ kind: "none", reason: problemOf(error).detail });
		});
		return () => {
			abort.abort();
			if (url) URL.revokeObjectURL(url);
		};
	}, [node, path, reason, type]);

	const name = showName(baseName(path));
	const download = (
		<Button icon={<Download size={15} aria-hidden />} onClick={() => void downloadFile(node, path)}>
			Download
		</Button>
	);
	if (preview.kind === "loading") {
		return (
			<div className="ide-centered">
				<Spinner label="Loading the preview" />
			</div>
		);
	}
	if (preview.kind === "none" || !type) {
		return (
			<EmptyState icon={<FileQuestion size={28} aria-hidden />} title={name} action={download}>
				<p>{preview.kind === "none" ? preview.reason : reason}</p>
			</EmptyState>
		);
	}
	return (
		<figure className="ide-preview">
			<div className="ide-preview-stage">
				{type.kind === "image" && <img src={preview.url} alt={name} />}
				{type.kind === "audio" && (
					// biome-ignore lint/a11y/useMediaCaption: the person's own file; there are no captions to show
					<audio src={preview.url} controls aria-label={name} />
				)}
				{type.kind === "video" && (
					// biome-ignore lint/a11y/useMediaCaption: the person's own file; there are no captions to show
					<video src={preview.url} controls aria-label={name} />
				)}
			</div>
			<figcaption>
				<span>{name}</span>
				{download}
			</figcaption>
		</figure>
	);
}
