import { File, FileCode, FileImage, FileJson, FileText, Settings2 } from "lucide-react";
import { languageOf } from "../editor/languages.ts";
import { previewOf } from "../editor/previews.ts";

/** A small picture of a file's kind, by its name. */
export function FileIcon({ name, size = 15 }: { name: string; size?: number }) {
	const language = languageOf(name);
	const props = { size, "aria-hidden": true, className: "ide-file-icon", "data-language": language ?? undefined };
	if (previewOf(name)) return <FileImage {...props} />;
	if (language === "json") return <FileJson {...props} />;
	if (language === "markdown") return <FileText {...props} />;
	if (language === "toml" || language === "yaml" || language === "properties") return <Settings2 {...props} />;
	return language ? <FileCode {...props} /> : <File {...props} />;
}
