export type PreviewType = { kind: "image" | "audio" | "video"; mime: string };

/**
 * What the browser can show safely of a stranger's file, by ending. Through `img`, `audio` and `video` nothing in a file
 * is executed; documents (PDF, HTML) are left out for that reason.
 */
const types: Readonly<Record<string, PreviewType>> = {
	png: { kind: "image", mime: "image/png" },
	jpg: { kind: "image", mime: "image/jpeg" },
	jpeg: { kind: "image", mime: "image/jpeg" },
	gif: { kind: "image", mime: "image/gif" },
	webp: { kind: "image", mime: "image/webp" },
	avif: { kind: "image", mime: "image/avif" },
	bmp: { kind: "image", mime: "image/bmp" },
	ico: { kind: "image", mime: "image/x-icon" },
	mp3: { kind: "audio", mime: "audio/mpeg" },
	wav: { kind: "audio", mime: "audio/wav" },
	ogg: { kind: "audio", mime: "audio/ogg" },
	m4a: { kind: "audio", mime: "audio/mp4" },
	flac: { kind: "audio", mime: "audio/flac" },
	mp4: { kind: "video", mime: "video/mp4" },
	webm: { kind: "video", mime: "video/webm" },
};

export function previewOf(path: string): PreviewType | null {
	const ending = path.slice(path.lastIndexOf(".") + 1).toLowerCase();
	return Object.hasOwn(types, ending) ? (types[ending] ?? null) : null;
}
