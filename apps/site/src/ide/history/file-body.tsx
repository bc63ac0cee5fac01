import { EmptyState, IconButton, Spinner } from "@repldock/ui";
import { ArrowDown, ArrowUp, FileQuestion, UnfoldVertical } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import { baseName, showName } from "../files/paths.ts";
import { compareTexts, type FileContent } from "./content.ts";
import type { FileView } from "./create-view.ts";

/** From this width on the two texts stand beside each other. */
const sideBySideFromPixels = 640;

type Props = { path: string; then: FileContent; now: FileContent; compare: boolean };

/** What there is to see of a file: texts, pictures, or why nothing can be shown. */
export function FileBody({ path, then, now, compare }: Props) {
	const shown = then.kind === "absent" ? now : then;
	if (then.kind === "text" && now.kind === "text") {
		if (compare && compareTexts(then.text, now.text) === "different") {
			return <TextView path={path} then={then.text} now={now.text} />;
		}
		return <TextView path={path} then={then.text} now={null} />;
	}
	if (shown.kind === "text") return <TextView path={path} then={shown.text} now={null} />;
	if (shown.kind === "media") {
		const both = then.kind === "media" && now.kind === "media";
		return (
			<div className="ide-history-media">
				<Media path={path} content={shown} caption={both ? "Then" : null} />
				{both && <Media path={path} content={now} caption="Now" />}
			</div>
		);
	}
	if (shown.kind === "absent") return null;
	return (
		<EmptyState icon={<FileQuestion size={28} aria-hidden />} title={showName(baseName(path))}>
			<p>
				{shown.kind === "large"
					? "This file is too large to be shown here."
					: "This file is no text, so that there are no lines to show."}
				{then.kind !== "absent" && " Download it to look at it."}
			</p>
		</EmptyState>
	);
}

function Media({ path, content, caption }: { path: string; content: FileContent; caption: string | null }) {
	const [url, setUrl] = useState<string | null>(null);
	const media = content.kind === "media" ? content : null;
	const blob = media?.blob;
	useEffect(() => {
		if (!blob) return;
		const made = URL.createObjectURL(blob);
		setUrl(made);
		return () => URL.revokeObjectURL(made);
	}, [blob]);
	if (!media || url === null) return null;
	const name = `${showName(baseName(path))}${caption === null ? "" : `, ${caption.toLowerCase()}`}`;
	return (
		<figure className="ide-preview">
			<div className="ide-preview-stage">
				{media.type.kind === "image" && <img src={url} alt={name} />}
				{media.type.kind === "audio" && (
					// biome-ignore lint/a11y/useMediaCaption: the person's own file; there are no captions to show
					<audio src={url} controls aria-label={name} />
				)}
				{media.type.kind === "video" && (
					// biome-ignore lint/a11y/useMediaCaption: the person's own file; there are no captions to show
					<video src={url} controls aria-label={name} />
				)}
			</div>
			{caption !== null && <figcaption>{caption}</figcaption>}
		</figure>
	);
}

/** A text that is read only; with `now`, what has changed. The editor's code for it comes with the first one. */
function TextView({ path, then, now }: { path: string; then: string; now: string | null }) {
	const host = useRef<HTMLDivElement>(null);
	const view = useRef<FileView | null>(null);
	const [whole, setWhole] = useState(false);
	const [ready, setReady] = useState(false);
	const [failed, setFailed] = useState(false);
	const sideBySide = useIsWide(host);

	useEffect(() => {
		if (sideBySide === null) return;
		let made: FileView | null = null;
		let current = true;
		import("./create-view.ts").then(
			({ createView }) => {
				if (!current || !host.current) return;
				made = createView({ path, then, now, sideBySide, whole });
				view.current = made;
				host.current.append(made.dom);
				setReady(true);
			},
			(error: unknown) => {
				console.warn("The comparison's code did not come:", error);
				if (current) setFailed(true);
			},
		);
		return () => {
			current = false;
			view.current = null;
			made?.destroy();
		};
	}, [path, then, now, sideBySide, whole]);

	return (
		<>
			{now !== null && (
				<div className="ide-history-diff-bar">
					{sideBySide ? (
						<>
							<span className="ide-history-side">Then</span>
							<span className="ide-history-side">Now</span>
						</>
					) : (
						<span className="ide-history-side">Then, and now</span>
					)}
					<IconButton
						label="Previous change"
						size="small"
						icon={<ArrowUp aria-hidden />}
						onClick={() => view.current?.go("previous")}
					/>
					<IconButton
						label="Next change"
						size="small"
						icon={<ArrowDown aria-hidden />}
						onClick={() => view.current?.go("next")}
					/>
					<IconButton
						label="Show unchanged lines"
						size="small"
						pressed={whole}
						icon={<UnfoldVertical aria-hidden />}
						onClick={() => setWhole(!whole)}
					/>
				</div>
			)}
			<div className="ide-history-text" ref={host}>
				{!ready && !failed && (
					<div className="ide-centered">
						<Spinner label="Opening the file" />
					</div>
				)}
				{failed && (
					<EmptyState title="The page lacks a part of itself">
						<p>It may have been updated since you opened it. Reload it and try again.</p>
					</EmptyState>
				)}
			</div>
		</>
	);
}

/** Whether there is room for two texts; null until it is measured. */
function useIsWide(element: { current: HTMLElement | null }): boolean | null {
	const [wide, setWide] = useState<boolean | null>(null);
	useEffect(() => {
		const measured = element.current;
		if (!measured) return;
		const observer = new ResizeObserver(([entry]) => {
			const width = entry?.contentRect.width ?? 0;
			// Hidden, it has no width: it stays as it was.
			if (width > 0) setWide(width >= sideBySideFromPixels);
		});
		observer.observe(measured);
		return () => observer.disconnect();
	}, [element]);
	return wide;
}
