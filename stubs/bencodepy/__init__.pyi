from bencodepy.decoder import BencodeDecoder as BencodeDecoder
from bencodepy.encoder import BencodeEncoder as BencodeEncoder
from bencodepy.exceptions import BencodeDecodeError as BencodeDecodeError
