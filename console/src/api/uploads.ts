import { api, body } from "@/api/client";
import { ApiError } from "@/api/errors";

type Kind = "image/png" | "image/jpeg" | "image/webp" | "video/mp4" | "video/quicktime";
export const IMAGE_TYPES = { "image/png": [".png"], "image/jpeg": [".jpg", ".jpeg"], "image/webp": [".webp"] };

/** Put a file where requests can name it, by the id that comes back. It goes to the bucket itself, not through the API. */
export const upload = async (file: File): Promise<string> => {
  const place = body(
    await api.POST("/v1/uploads", {
      body: { bytes: file.size, mime_type: file.type as Kind, filename: file.name.slice(-255), purpose: "vision" },
    }),
  );
  const headers = { "Content-Type": file.type };
  const answer = await fetch(place.url, { method: place.method, headers, body: file });
  if (!answer.ok) throw new ApiError(answer.status, `The bucket refused the file (HTTP ${answer.status}).`, "upload_failed");
  return place.id;
};
