/**
 * Types that a page may show in place: pictures, sound, films. Everything else is a download of bytes or plain text, so
 * that nothing a user stored runs as a page or script of the gateway's origin.
 */
const shownTypes: Record<string, string> = {
	png: "image/png",
	jpg: "image/jpeg",
	jpeg: "image/jpeg",
	gif: "image/gif",
	webp: "image/webp",
	avif: "image/avif",
	bmp: "image/bmp",
	ico: "image/x-icon",
	svg: "image/svg+xml",
	mp3: "audio/mpeg",
	wav: "audio/wav",
	ogg: "audio/ogg",
	flac: "audio/flac",
	mp4: "video/mp4",
	webm: "video/webm",
};

/** Headers under which a stored file of this name may leave the gateway. */
export function downloadHeaders(name: string, asDownload: boolean): Record<string, string> {
	const extension = /\.([A-Za-z0-9]+)$/.exec(name)?.[1]?.toLowerCase() ?? "";
	const shown = Object.hasOwn(shownTypes, extension) ? shownTypes[extension] : undefined;
	return {
		"Content-Type": shown ?? "application/octet-stream",
		"Content-Disposition": disposition(shown && !asDownload ? "inline" : "attachment", name),
		"X-Content-Type-Options": "nosniff",
		"Content-Security-Policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'",
		"Cache-Control": "private, no-cache",
	};
}

/** RFC 6266: a plain name for old programs, the true one in UTF-8. */
function disposition(kind: string, name: string): string {
	const plain = name.replace(/[^\x20-\x7e]|["\\%]/g, "_");
	const encoded = encodeURIComponent(name.toWellFormed()).replace(
		/['()*]/g,
		(found) => `%${found.charCodeAt(0).toString(16).toUpperCase()}`,
	);
	return `${kind}; filename="${plain}"; filename*=UTF-8''${encoded}`;
}
