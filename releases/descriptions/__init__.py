"""What happens in a segment: fields measured from keypoints, and sentences made of them."""
